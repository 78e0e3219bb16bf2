# Makes null.json.gz: relapse-free survival of the Rotterdam patients in their first five years, and R's log-likelihoods of no
# coefficient and of age. Who died without a relapse after the last visit for one has an event at death.
# Run in this folder: Rscript make_null.R
suppressMessages({library(survival); library(jsonlite)})
r <- rotterdam
died <- r$recur == 0 & r$death == 1 & r$rtime < r$dtime
time <- ifelse(died, r$dtime, r$rtime)
event <- ifelse(time > 5 * 365.25, 0, pmax(r$recur, r$death))
time <- pmin(time, 5 * 365.25)
loglik <- function(ties) coxph(Surv(time, event) ~ r$age, ties = ties)$loglik
versions <- list(R = paste(R.version$major, R.version$minor, sep = "."), survival = as.character(packageVersion("survival")))
file <- gzfile("null.json.gz", "w")
writeLines(toJSON(list(versions = versions, time = time, event = event, age = r$age, efron = loglik("efron"),
                       breslow = loglik("breslow")), digits = NA, auto_unbox = TRUE), file)
close(file)
