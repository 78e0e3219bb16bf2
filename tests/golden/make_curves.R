# Makes curves.json.gz: curves without a model and tests of groups by R's survival package, with their data.
# Run in this folder: Rscript make_curves.R
suppressMessages({library(survival); library(jsonlite)})
lung$event <- as.integer(lung$status == 2)
lung$weight <- round(0.2 + 2.3 * ((seq_len(nrow(lung)) * 37) %% 101) / 101, 3)
lung$inst[is.na(lung$inst)] <- 0
gammopathy <- transform(mgus2, etime = ifelse(pstat == 0, futime, ptime), ev = ifelse(pstat == 0, 2 * death, 1))
gammopathy$weight <- 1 + (seq_len(nrow(gammopathy)) %% 4) / 2
gammopathy$entry <- pmin((seq_len(nrow(gammopathy)) * 7) %% 30, gammopathy$etime - 1)
cause <- factor(gammopathy$ev, 0:2, c("none", "pcm", "death"))
data <- list(
  aml = aml[, c("time", "status")], heart = heart[, c("start", "stop", "event", "id")],
  lung = lung[, c("time", "event", "sex", "weight", "inst")], kidney = kidney[, c("id", "time", "status")],
  veteran = veteran[, c("time", "status", "trt", "celltype")],
  mgus2 = gammopathy[, c("etime", "ev", "sex", "weight", "entry")])

curve <- function(s) {
  q <- quantile(s, c(.1, .25, .5, .75))
  list(stratum = if (is.null(s$strata)) NULL else rep(seq_along(s$strata), s$strata), time = s$time, n_risk = s$n.risk,
       n_event = s$n.event, survival = s$surv, std_err = summary(s, censored = TRUE)$std.err, lower = s$lower,
       upper = s$upper, cumhaz = s$cumhaz, std_chaz = s$std.chaz, quantile = q$quantile, q_lower = q$lower,
       q_upper = q$upper)
}
curves <- list()
for (ci in c("log", "plain", "log-log", "logit", "arcsin")) {
  curves[[paste0("aml/", ci)]] <- curve(survfit(Surv(time, status) ~ 1, aml, conf.type = ci))
  curves[[paste0("heart/", ci)]] <- curve(survfit(Surv(start, stop, event) ~ 1, heart, conf.type = ci))
}
curves[["lung sex/log"]] <- curve(survfit(Surv(time, event) ~ sex, lung))
curves[["lung weight/log"]] <- curve(survfit(Surv(time, event) ~ 1, lung, weights = weight))
curves[["lung weight cluster/log"]] <- curve(survfit(Surv(time, event) ~ 1, lung, weights = weight, cluster = inst))
curves[["heart cluster/log"]] <- curve(survfit(Surv(start, stop, event) ~ 1, heart, id = seq_len(nrow(heart)), cluster = id))
curves[["kidney cluster/log"]] <- curve(survfit(Surv(time, status) ~ 1, kidney, cluster = id))
curves[["lung nelson-aalen/log"]] <- curve(survfit(Surv(time, event) ~ 1, lung, stype = 2, ctype = 1))
curves[["lung fleming-harrington/log"]] <- curve(survfit(Surv(time, event) ~ 1, lung, stype = 2, ctype = 2))
curves[["lung reverse/log"]] <- curve(survfit(Surv(time, 1 - event) ~ 1, lung))
means <- lapply(c(180, 365, 730), function(tau) {
  table <- summary(survfit(Surv(time, event) ~ sex, lung), rmean = tau)$table
  list(tau = tau, rmst = unname(table[, 5]), std_err = unname(table[, 6]))
})
times <- c(0, 100, 250, 365, 500, 1000)
at <- summary(survfit(Surv(time, event) ~ 1, lung), times = times)
at <- list(time = times, survival = at$surv, std_err = at$std.err, lower = at$lower, upper = at$upper, n_risk = at$n.risk,
           n_event = at$n.event)

states <- function(s) list(
  stratum = if (is.null(s$strata)) NULL else rep(seq_along(s$strata), s$strata), time = s$time, pstate = s$pstate,
  std_err = s$std.err, lower = s$lower, upper = s$upper)
gammopathy$row <- seq_len(nrow(gammopathy))
incidence <- list(
  plain = states(survfit(Surv(etime, cause) ~ 1, gammopathy)),
  sex = states(survfit(Surv(etime, cause) ~ sex, gammopathy)),
  weight = states(survfit(Surv(etime, cause) ~ 1, gammopathy, weights = weight)),
  entry = states(survfit(Surv(entry, etime, cause) ~ 1, gammopathy, id = row)))
pseudo <- list(times = c(180, 365, 730), survival = pseudo(survfit(Surv(time, event) ~ 1, lung), times = c(180, 365, 730)),
               rmst_730 = as.vector(pseudo(survfit(Surv(time, event) ~ 1, lung), times = 730, type = "rmst")))

test <- function(r) list(chisq = r$chisq, df = length(r$n) - 1, observed = rowSums(as.matrix(r$obs)),
                         expected = rowSums(as.matrix(r$exp)), variance = r$var)
tests <- list(
  sex = test(survdiff(Surv(time, event) ~ sex, lung)), peto = test(survdiff(Surv(time, event) ~ sex, lung, rho = 1)),
  celltype = test(survdiff(Surv(time, status) ~ celltype, veteran)),
  strata = test(survdiff(Surv(time, status) ~ trt + strata(celltype), veteran)))
versions <- list(R = paste(R.version$major, R.version$minor, sep = "."), survival = as.character(packageVersion("survival")))
out <- list(versions = versions, data = data, curves = curves, rmst = means, at = at, incidence = incidence,
            pseudo = pseudo, log_rank = tests)
file <- gzfile("curves.json.gz", "w")
writeLines(toJSON(out, digits = NA, auto_unbox = TRUE, na = "null", null = "null", dataframe = "columns"), file)
close(file)
