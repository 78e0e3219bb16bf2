# Makes calibration.json.gz: calibration and net benefit, at 4.5 years in GBSG, of a Cox model of the Rotterdam patients, by
# R's standard packages; Harrell's spline bases and knots. Needs survival, riskRegression, rms (with Hmisc), polspline and
# jsonlite. Run in this folder: Rscript make_calibration.R
suppressMessages({library(survival); library(riskRegression); library(rms); library(polspline); library(jsonlite)})
ctl <- coxph.control(eps=1e-12, toler.chol=1e-14, iter.max=100)
ro <- transform(rotterdam, t=pmin(rtime, dtime) / 365.25, e=as.integer(recur == 1 | death == 1), lnode=log(pmin(nodes, 19) + 1),
  ssize=as.integer(factor(size)) - 1, g3=as.integer(grade == 3))
gb <- transform(gbsg, t=rfstime / 365.25, e=status, lnode=log(pmin(nodes, 19) + 1), ssize=cut(size, c(-1, 20, 50, 500), labels=FALSE) - 1,
  g3=as.integer(grade == 3))
ro$t5 <- pmin(ro$t, 5)
ro$e5 <- ifelse(ro$t > 5, 0, ro$e)
fit <- coxph(Surv(t5, e5) ~ ssize + lnode + g3, ro, ties="breslow", control=ctl, x=TRUE, y=TRUE)
h <- 4.5
p <- predictRisk(fit, newdata=gb, times=h)[, 1]
gb$lp <- predict(fit, newdata=gb, type="lp")

out <- list(horizon=h)
slope <- coxph(Surv(t, e) ~ lp, gb, control=ctl)
out$slope <- c(unname(coef(slope)), sqrt(slope$var[1]))
km <- survfit(Surv(t, e) ~ 1, gb)
observed <- 1 - summary(km, times=h)$surv
out$oe <- list(observed=observed, expected=mean(p), ratio=observed / mean(p))

x <- log(-log(1 - p))
smooth <- coxph(Surv(t, e) ~ rcs(x, 3), gb, ties="breslow", control=ctl, x=TRUE)
by_rcs <- predictRisk(smooth, newdata=data.frame(x=x, t=gb$t, e=gb$e), times=h)[, 1]
adaptive <- hare(data=gb$t, delta=gb$e, cov=as.matrix(x))
by_hare <- phare(h, x, adaptive)
distances <- function(o) list(ici=mean(abs(o - p)), e50=median(abs(o - p)), e90=unname(quantile(abs(o - p), .9)), emax=max(abs(o - p)))
out$rcs <- distances(by_rcs)
out$hare <- distances(by_hare)
out$knots <- attr(rcs(x, 3), "parms")
out$data <- data.frame(time=gb$t, event=gb$e, lp=gb$lp, p=p, rcs=by_rcs, hare=by_hare)

q <- cut(p, quantile(p, seq(0, 1, .1)), include.lowest=TRUE)
s <- summary(survfit(Surv(t, e) ~ q, gb), times=h, extend=TRUE)
out$deciles <- list(predicted=unname(tapply(p, q, mean)), observed=1 - s$surv, low=1 - s$upper, high=1 - s$lower, n=unname(as.integer(table(q))))

at <- seq(.1, .8, .05)
model <- sapply(at, function(t) {
  k <- p >= t
  s <- summary(survfit(Surv(t, e) ~ 1, gb[k, ]), times=h, extend=TRUE)$surv
  (1 - s) * mean(k) - s * mean(k) * t / (1 - t)
})
out$decision <- list(thresholds=at, model=model, all=observed - (1 - observed) * at / (1 - at))

x <- c(18, 25, 33, 41, 47, 52, 58, 60, 63, 66, 70, 74, 79, 85, 91)
out$bases <- lapply(3:5, function(k) { z <- Hmisc::rcspline.eval(x, nk=k, inclx=TRUE); list(x=x, knots=attr(z, "knots"), basis=unname(unclass(z)[, ])) })
out$age <- rotterdam$age
out$age_knots <- lapply(3:7, function(k) Hmisc::rcspline.eval(rotterdam$age, nk=k, knots.only=TRUE))
packages <- c("survival", "riskRegression", "rms", "Hmisc", "polspline")
out$versions <- as.list(setNames(sapply(packages, function(p) as.character(packageVersion(p))), packages))

file <- gzfile("calibration.json.gz", "w")
writeLines(toJSON(out, digits=NA, auto_unbox=TRUE, dataframe="columns", matrix="rowmajor"), file)
close(file)
