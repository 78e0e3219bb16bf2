# Makes stratos.json.gz: a Cox model of the Rotterdam patients (first five years), validated on them and on GBSG, with the
# measures of McLernon et al. (2023), Annals of Internal Medicine 176, 105-114; and calibration with competing risks, on
# mgus2. Needs survival, jsonlite. Run in this folder: Rscript make_stratos.R
suppressMessages({library(survival); library(jsonlite)})
ctl <- coxph.control(eps=1e-12, toler.chol=1e-14, iter.max=100)

# ---- data ----
spline <- function(x, k) {
  cube <- function(u) pmax(u, 0)^3
  (cube(x - k[1]) - cube(x - k[2]) * (k[3] - k[1]) / (k[3] - k[2]) + cube(x - k[3]) * (k[2] - k[1]) / (k[3] - k[2])) / (k[3] - k[1])^2
}
r <- rotterdam
r$event <- pmax(r$recur, r$death)
r$time <- ifelse(r$recur == 0 & r$death == 1 & r$rtime < r$dtime, r$dtime, r$rtime) / 365.25
r$big <- as.integer(factor(r$size, c("<=20", "20-50", ">50")))
g <- transform(gbsg, event=status, time=rfstime / 365.25, big=as.integer(cut(size, c(-1, 20, 50, 500))))
most <- unname(quantile(r$nodes, .99, type=1))
five <- function(d) data.frame(time=pmin(d$time, 5), event=ifelse(d$time > 5, 0, d$event), size2=as.integer(d$big == 2),
  size3=as.integer(d$big == 3), nodes2=pmin(d$nodes, most), nodes3=spline(pmin(d$nodes, most), c(0, 1, 9)), grade3=as.integer(d$grade == 3))
data <- list(rotterdam=five(r), gbsg=five(g))

# ---- STRATOS: the model and its validation ----
out <- list(versions=list(R=paste(R.version$major, R.version$minor, sep="."), survival=as.character(packageVersion("survival"))))
fit <- coxph(Surv(time, event) ~ size2 + size3 + nodes2 + nodes3 + grade3, data$rotterdam, control=ctl, x=TRUE, y=TRUE)
out$model <- list(coef=unname(coef(fit)), loglik=fit$loglik)
knots3 <- function(x) unname(quantile(x, c(.1, .5, .9)))
for (name in names(data)) {
  d <- data[[name]]
  d$lp <- predict(fit, newdata=d)
  d$hazard <- predict(fit, newdata=d, type="expected")
  d$risk <- 1 - c(summary(survfit(fit, newdata=d), times=5)$surv)
  harrell <- concordance(Surv(time, event) ~ lp, d, reverse=TRUE)
  uno <- concordance(Surv(time, event) ~ lp, d, reverse=TRUE, timewt="n/G2")
  km <- survfit(Surv(time, event) ~ 1, d)
  slope <- coxph(Surv(time, event) ~ lp, d, control=ctl)
  robust <- coxph(Surv(time, event) ~ lp, d, control=ctl, robust=TRUE, cluster=seq_along(d$lp))
  large <- glm(event ~ offset(log(hazard)), poisson, subset(d, hazard > 0), control=glm.control(1e-14, 100))
  spread <- glm(event ~ lp + offset(log(hazard) - lp), poisson, subset(d, hazard > 0), control=glm.control(1e-14, 100))
  # the smooth curve: Cox regression on a spline of log(-log(1 - p)), with limits on the log(-log) scale
  x <- log(-log(1 - d$risk)); d$x1 <- x; d$x2 <- spline(x, knots3(x))
  curve <- lapply(c(efron="efron", breslow="breslow"), function(ties) {
    smooth <- coxph(Surv(time, event) ~ x1 + x2, d, ties=ties, control=ctl)
    s <- summary(survfit(smooth, newdata=d[1:5, ], conf.type="log-log"), times=5)
    all <- 1 - c(summary(survfit(smooth, newdata=d), times=5)$surv)
    off <- abs(all - d$risk)
    list(observed=1 - c(s$surv), low=1 - c(s$upper), high=1 - c(s$lower),
      ici=mean(off), e50=median(off), e90=unname(quantile(off, .9)), emax=max(off))
  })
  # influence of the patients on the observed risk gives the error of O/E
  O <- 1 - summary(km, times=5)$surv; E <- mean(d$risk)
  u <- -drop(survfit(Surv(time, event) ~ 1, d, robust=TRUE, influence=1)$influence.surv[, sum(km$time <= 5)])
  oe <- sqrt(sum((u / E - O / E^2 * (d$risk - E) / nrow(d))^2))
  out[[name]] <- list(data=d[, c("time", "event", "lp", "risk", "hazard", "size2", "size3", "nodes2", "nodes3", "grade3")],
    harrell=c(harrell$concordance, sqrt(harrell$var)), uno=c(uno$concordance, sqrt(uno$var)),
    oe=c(O / E, oe), observed=O, expected=E, slope=c(coef(slope), sqrt(vcov(slope)), sqrt(vcov(robust))),
    large=c(exp(coef(large)), sqrt(vcov(large)) * exp(coef(large))), poisson=c(coef(spread)[2], sqrt(vcov(spread)[2, 2])), curve=curve)
}
out <- rapply(out, unname, how="replace", classes=c("numeric", "array", "matrix"))

# ---- pseudo-values: GBSG without, mgus2 with competing risks ----
pseudo_fits <- function(s, p, h, state=NULL) {
  v <- if (is.null(state)) 1 - pseudo(s, times=h) else pseudo(s, times=h, type="pstate")[, which(s$states == state)]
  x <- log(-log(1 - p)); z <- spline(x, knots3(x))
  link <- quasi(link="cloglog", variance="constant")
  robust <- function(f) { m <- model.matrix(f); e <- f$residuals * f$weights; b <- chol2inv(chol(t(m) %*% (m * f$weights))); sqrt(diag(b %*% t(m) %*% (m * e^2) %*% b)) }
  ctl <- glm.control(1e-14, 200)
  level <- glm(v ~ offset(x), link, start=0, control=ctl)
  line <- glm(v ~ x, link, start=c(0, 1), control=ctl)
  smooth <- glm(v ~ x + z, link, start=c(0, 1, 0), control=ctl)
  off <- abs(fitted(smooth) - p)
  list(horizon=h, mean=mean(v), pseudo=unname(v[1:20]), level=c(coef(level), robust(level)), line=unname(c(coef(line)[2], robust(line)[2])),
    observed=unname(fitted(smooth)[1:20]), ici=mean(off), e50=median(off), e90=unname(quantile(off, .9)), emax=max(off))
}
g <- out$gbsg$data
out$pseudo_gbsg <- pseudo_fits(survfit(Surv(time, event) ~ 1, g), g$risk, 5)
m <- mgus2[complete.cases(mgus2[, c("age", "sex", "mspike")]), ]
m$time <- ifelse(m$pstat == 0, m$futime, m$ptime) + .5
m$code <- ifelse(m$pstat == 0, 2 * m$death, 1)
m$state <- factor(m$code, 0:2, c("censored", "pcm", "death"))
m$id <- seq_len(nrow(m))
both <- coxph(Surv(time, state) ~ age + sex + mspike, m, id=id, control=ctl)
s <- survfit(both, newdata=m)
m$risk <- s$pstate[sum(s$time <= 120), , 2]
out$mgus2 <- list(data=m[, c("time", "code", "risk")], pseudo=pseudo_fits(survfit(Surv(time, state) ~ 1, m), m$risk, 120, "pcm"))
aj <- function(d) { s <- survfit(Surv(time, state) ~ 1, d); k <- sum(s$time <= 120); c(s$pstate[k, 2], s$std.err[k, 2], s$lower[k, 2], s$upper[k, 2]) }
out$mgus2$incidence <- unname(aj(m))
group <- cut(m$risk, quantile(m$risk, 0:5 / 5), include.lowest=TRUE)
out$mgus2$groups <- unname(t(sapply(split(m, group), aj)))
at <- c(.05, .08, .12)
out$mgus2$decision <- list(thresholds=at, model=unname(sapply(at, function(t) { k <- m$risk >= t; f <- aj(m[k, ])[1]; mean(k) * (f - (1 - f) * t / (1 - t)) })))
cause <- coxph(Surv(time, code == 1) ~ log(risk), m, control=ctl)
out$mgus2$cause_slope <- unname(c(coef(cause), sqrt(vcov(cause))))

file <- gzfile("stratos.json.gz", "w")
writeLines(toJSON(out, digits=NA, auto_unbox=TRUE, dataframe="columns", matrix="rowmajor"), file)
close(file)
