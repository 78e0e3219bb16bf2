# Competing risks: cause-specific Cox regression, Fine and Gray's model and predicted incidences on mgus2, 1,373 patients
# with a monoclonal gammopathy of R's survival package (1: progression to a plasma cell malignancy, 2: death before it).
# R 4.2.2, survival 3.5-3, jsonlite. Run in this folder: Rscript make_competing.R
suppressMessages({library(survival); library(jsonlite)})
ctl <- coxph.control(eps = 1e-12, toler.chol = 1e-14, iter.max = 100)
m <- subset(mgus2, !is.na(mspike))
m$time <- ifelse(m$pstat == 0, m$futime, m$ptime)
m$code <- ifelse(m$pstat == 0, 2 * m$death, 1)
m$event <- factor(m$code, 0:2, c("censored", "pcm", "death"))
m$male <- as.integer(m$sex == "M")
m$id <- seq_len(nrow(m))
m$w <- 1 + m$id %% 3
m$entry <- pmax(m$time - 20 - m$id %% 40, 0)
m$entry <- ifelse(m$entry >= m$time, 0, m$entry)
m$old <- as.integer(m$age >= 72)
new <- data.frame(age = c(60, 80), male = c(0, 1), mspike = c(.5, 2))
at <- c(12, 60, 120, 240)
num <- function(x) unname(as.numeric(x))
out <- list(
  versions = list(R = as.character(getRversion()), survival = as.character(packageVersion("survival"))),
  data = as.list(m[, c("age", "male", "mspike", "time", "code", "w", "entry", "old")]),
  new = as.list(new), at = at, cause_specific = list(), fine_gray = list(), incidence = list())
fitted <- function(f) list(coef = num(coef(f)), naive_se = num(sqrt(diag(if (is.null(f$naive.var)) f$var else f$naive.var))),
                           se = num(sqrt(diag(f$var))), loglik = num(f$loglik))
fine_gray <- function(data, cause, ties) {
  fg <- finegray(Surv(time, event) ~ age + male + mspike + id, data, etype = levels(m$event)[cause + 1])
  f <- coxph(Surv(fgstart, fgstop, fgstatus) ~ age + male + mspike, fg, weights = fgwt, cluster = id, ties = ties, control = ctl)
  s <- summary(survfit(f, newdata = new), times = at)
  c(fitted(f), list(incidence = unname(t(1 - s$surv))))
}
for (cause in 1:2) {
  for (ties in c("efron", "breslow")) {
    key <- paste(c("pcm", "death")[cause], ties, sep = "/")
    out$cause_specific[[key]] <- fitted(coxph(Surv(time, code == cause) ~ age + male + mspike, m, ties = ties, control = ctl))
    out$fine_gray[[key]] <- fine_gray(m, cause, ties)
  }
  out$fine_gray[[paste0(key, "/weighted")]] <- fine_gray(m[rep(m$id, m$w), ], cause, "breslow")  # a weight of 2 is two rows
}
fg <- finegray(Surv(time, event) ~ id, m, etype = "pcm")
out$weights <- as.list(fg[fg$id %in% 1:3, c("id", "fgstart", "fgstop", "fgwt")])
# incidences: a multi-state coxph that is told its ties has Breslow's
incidence <- function(f) {
  s <- summary(survfit(f, newdata = new), times = at)
  lapply(seq_len(nrow(new)), function(j) unname(t(s$pstate[, j, ])))  # states x times
}
out$incidence[["breslow"]] <-
  incidence(coxph(Surv(time, event) ~ age + male + mspike, m, id = id, ties = "breslow", control = ctl))
out$incidence[["breslow/weighted"]] <-
  incidence(coxph(Surv(time, event) ~ age + male + mspike, m, id = id, weights = w, ties = "breslow", control = ctl))
out$incidence[["breslow/entry"]] <-
  incidence(coxph(Surv(entry, time, event) ~ age + male + mspike, m, id = id, ties = "breslow", control = ctl))
# with Efron's: the hazards of two models, combined as survfit does, by the exponential of what they add at each time
both <- lapply(1:2, function(cause) survfit(coxph(Surv(time, code == cause) ~ age + male + mspike, m, control = ctl), newdata = new))
out$incidence[["efron"]] <- lapply(seq_len(nrow(new)), function(j) {
  rise <- sapply(both, function(s) diff(c(0, s$cumhaz[, j])))
  total <- rowSums(rise)
  after <- exp(-cumsum(total))
  lost <- c(1, after[-length(after)]) - after
  last <- findInterval(at, both[[1]]$time)
  unname(rbind(after[last], t(apply(rise / pmax(total, 1e-300) * lost, 2, cumsum)[last, ])))
})
connection <- gzfile("competing.json.gz", "w")
writeLines(toJSON(out, digits = 15, auto_unbox = TRUE), connection)
close(connection)
