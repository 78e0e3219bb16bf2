"""What a model says of patients, written down: row by row for their keeper alone (`local`), or as counts (`bundle`)."""
