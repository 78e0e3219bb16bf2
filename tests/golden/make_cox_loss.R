# Makes cox_loss.json: partial log-likelihood and its gradient in the linear predictor, at a given linear predictor.
# Run in this folder: Rscript make_cox_loss.R
suppressMessages({library(survival); library(jsonlite)})

sets <- list(toy7=data.frame(time=c(4, 3, 1, 1, 2, 2, 3), event=c(1, 1, 1, 0, 1, 1, 0), lp=c(0, 2, 1, 1, 1, 0, 0) * .7,
  strata=c(0, 0, 0, 0, 1, 1, 1), w=c(1, .5, 2, 1, 1.5, 3, .25), entry=c(0, 1, 0, .5, 0, 1, 0)))
set.seed(42)
for (cfg in list(c(60, 8, .5), c(300, 40, .12), c(2000, 130, .12))) {  # rows, largest time, share of events
  n <- cfg[1]
  d <- data.frame(time=sample(0:cfg[2], n, TRUE), event=rbinom(n, 1, cfg[3]), lp=round(rnorm(n), 4), strata=sample(1:4, n, TRUE), w=round(runif(n, .2, 3), 3))
  d$entry <- pmax(0, d$time - sample(1:20, n, TRUE)) - 1
  sets[[paste0("tied_n", n)]] <- d
}

cases <- list()
for (name in names(sets)) for (tag in c("plain", "strata", "w", "entry", if (name == "toy7") "entry_w" else c("entry_strata_w", "biglp"))) for (ties in c("efron", "breslow")) {
  on <- strsplit(tag, "_")[[1]]
  d <- sets[[name]]
  d$lp <- d$lp * if ("biglp" %in% on) 25 else 1
  d$w <- if ("w" %in% on) d$w else rep(1, nrow(d))
  y <- with(d, if ("entry" %in% on) Surv(entry, time, event) else Surv(time, event))
  f <- if ("strata" %in% on) y ~ lp + strata(strata) else y ~ lp
  fit <- if ("w" %in% on) coxph(f, d, ties=ties, init=1, iter.max=0, timefix=FALSE, weights=w) else coxph(f, d, ties=ties, init=1, iter.max=0, timefix=FALSE)
  cases[[paste(name, tag, ties, sep="/")]] <- list(loglik=fit$loglik[2], gradient=unname(residuals(fit, "martingale")) * d$w)
}
versions <- list(R=paste(R.version$major, R.version$minor, sep="."), survival=as.character(packageVersion("survival")))
write_json(list(versions=versions, sets=sets, cases=cases), "cox_loss.json", dataframe="columns", digits=NA, auto_unbox=TRUE)
cat(length(cases), "cases\n")
