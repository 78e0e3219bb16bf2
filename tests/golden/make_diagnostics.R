# Makes diagnostics.json.gz: residuals, tests of proportional hazards and baseline hazards of Cox models by R's survival
# package, with their rows. Run in this folder: Rscript make_diagnostics.R
suppressMessages({library(survival); library(jsonlite)})
ctl <- coxph.control(eps = 1e-12, toler.chol = 1e-14, iter.max = 100)
lung2 <- na.omit(transform(lung, event = as.integer(status == 2))[, c("time", "event", "age", "sex", "ph.ecog")])
veteran2 <- transform(veteran, w = 1 + ((seq_len(nrow(veteran)) * 7) %% 5) / 4)
heart2 <- transform(heart, transplant = as.integer(as.character(transplant)), w = 1 + (seq_len(nrow(heart)) %% 3))
gbsg2 <- gbsg[seq(1, nrow(gbsg), 5), c("rfstime", "status", "age", "meno", "size", "nodes", "pgr", "hormon")]
gbsg2$rfstime <- ceiling(gbsg2$rfstime / 91)
data <- list(lung = lung2, veteran = veteran2, heart = heart2, gbsg = gbsg2)
cases <- list(
  lung = Surv(time, event) ~ age + sex + ph.ecog,
  veteran = Surv(time, status) ~ trt + karno + age + prior + strata(celltype),
  `veteran factor` = Surv(time, status) ~ trt + karno + celltype,
  `veteran weight` = Surv(time, status) ~ trt + karno + age,
  heart = Surv(start, stop, event) ~ age + year + surgery + transplant,
  `heart weight strata` = Surv(start, stop, event) ~ age + year + strata(surgery),
  gbsg = Surv(rfstime, status) ~ age + meno + size + nodes + pgr + hormon)
out <- list()
for (ties in c("efron", "breslow")) for (name in names(cases)) {
  if (ties == "breslow" && name == "veteran factor") next
  words <- strsplit(name, " ")[[1]]
  d <- data[[words[1]]]
  d$weight <- if ("weight" %in% words) d$w else 1
  fit <- if ("weight" %in% words) coxph(cases[[name]], d, ties = ties, control = ctl, weights = weight, robust = FALSE, x = TRUE)
         else coxph(cases[[name]], d, ties = ties, control = ctl, x = TRUE)
  tests <- lapply(c(km = "km", rank = "rank", identity = "identity", log = "log"), function(g) {
    z <- cox.zph(fit, transform = g)$table
    list(chisq = z[, 1], df = z[, 2], p = z[, 3])
  })
  d$index <- unname(predict(fit, type = "lp", reference = "sample"))
  s <- residuals(fit, "schoenfeld")
  one <- if (is.null(fit$strata)) {
    f <- update(cases[[name]], . ~ index)
    z <- if ("weight" %in% words) cox.zph(coxph(f, d, ties = ties, control = ctl, weights = weight, robust = FALSE))
         else cox.zph(coxph(f, d, ties = ties, control = ctl))
    list(index = d$index, chisq = z$table[1, 1], p = z$table[1, 3])
  }
  out[[paste(name, ties, sep = "/")]] <- list(
    terms = names(coef(fit)), rows = rownames(cox.zph(fit)$table), ph = tests, index = one,
    time = as.numeric(rownames(s)), schoenfeld = unname(s), scaled = unname(residuals(fit, "scaledsch")),
    martingale = unname(residuals(fit, "martingale")), deviance = unname(residuals(fit, "deviance")),
    score = unname(residuals(fit, "score")), dfbeta = unname(residuals(fit, "dfbeta")),
    basehaz = as.list(basehaz(fit, centered = FALSE)))
}
versions <- list(R = paste(R.version$major, R.version$minor, sep = "."), survival = as.character(packageVersion("survival")))
file <- gzfile("diagnostics.json.gz", "w")
writeLines(toJSON(list(versions = versions, data = data, cases = out), digits = I(10), auto_unbox = TRUE, na = "null",
                  null = "null", dataframe = "columns"), file)
close(file)
