# Makes timefix.json: times with rounding noise and what survival::aeqSurv makes of them (with and without entry).
# The mean time is above 1: below, R has a second, absolute tolerance, by which ties depend on the unit of time.
# Run in this folder: Rscript make_timefix.R
suppressMessages({library(survival); library(jsonlite)})
set.seed(3)
n <- 60
days <- sample(1:40, n, TRUE)
time <- days / 7 + sample(c(0, 4e-16, -3e-10, 2e-8, 6e-8), n, TRUE) * days / 10
entry <- ifelse(days > 10, (days - 10) / 7, -0.5)
versions <- list(R=paste(R.version$major, R.version$minor, sep="."), survival=as.character(packageVersion("survival")))
write_json(list(versions=versions, time=time, entry=entry, fixed=unname(aeqSurv(Surv(time, rep(1, n)))[, 1]),
                fixed_with_entry=unname(as.matrix(aeqSurv(Surv(entry, time, rep(1, n))))[, 1:2])),
           "timefix.json", digits=NA, auto_unbox=TRUE)
