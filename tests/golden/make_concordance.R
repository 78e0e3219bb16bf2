# Makes concordance.json and concordance.csv.gz: concordance by survival::concordance on six data sets with two scores each:
# Harrell's, with entry times, strata, weights and clusters; with the other weights of time; up to tau; and comparisons.
# Run in this folder: Rscript make_concordance.R
suppressMessages({library(survival); library(jsonlite)})

set.seed(42)  # three draws, of which the last is used
for (cfg in list(c(60, 8, .5), c(300, 40, .12), c(2000, 130, .12))) {
  n <- cfg[1]
  tied <- data.frame(time=sample(0:cfg[2], n, TRUE), event=rbinom(n, 1, cfg[3]), lp=round(rnorm(n), 4), strata=sample(1:4, n, TRUE), w=round(runif(n, .2, 3), 3))
  sample(1:20, n, TRUE)
}
sets <- list(
  lung=with(lung, data.frame(time, event=as.integer(status == 2), sA=round(age / 10 + ifelse(is.na(ph.ecog), 1, ph.ecog), 3), sB=age, strata=sex, cl=ifelse(is.na(inst), 99, inst))),
  gbsg=with(gbsg, data.frame(time=rfstime, event=status, sA=round(.05 * nodes - .3 * hormon + .3 * grade, 2), sB=size, strata=grade, cl=pid %% 50)),
  flchain=with(flchain, data.frame(time=futime, event=death, sA=round(age / 5), sB=round(kappa + lambda, 4), strata=as.integer(sex == "F"), cl=flc.grp)),
  rotterdam_months=with(rotterdam, data.frame(time=floor(dtime / 30.4), event=death, sA=round(log1p(nodes) + .3 * grade, 1), sB=-pgr, strata=grade, cl=meno)),
  toy=data.frame(time=c(1, 2, 2, 2, 3, 3, 4, 5, 5, 6), event=c(1, 1, 1, 0, 1, 0, 0, 1, 1, 0), sA=c(3, 3, 2, 2, 2, 1, 4, 1, 0, 0), sB=10:1, strata=rep(1:2, 5), cl=rep(1:5, 2)),
  tied_n2000=with(tied, data.frame(time, event, sA=round(lp, 1), sB=round(lp + .5 * w, 5), strata, cl=strata)))

values <- function(r, influence) {
  count <- if (is.matrix(r$count)) unname(split(r$count, row(r$count))) else list(unname(r$count))
  c(list(C=unname(r$concordance), se=unname(sqrt(r$var)), count=count), if (influence) list(influence=unname(r$dfbeta)))
}

set.seed(7)
cases <- list()
compared <- list()
for (k in names(sets)) {
  d <- sets[[k]]
  d$w <- round(runif(nrow(d), .2, 3), 3)
  d$entry <- pmax(0, floor(d$time * runif(nrow(d), 0, .8))) - .5
  sets[[k]] <- d
  for (s in c("sA", "sB")) for (entry in c(FALSE, TRUE)) for (strata in c(FALSE, TRUE)) for (weights in c(FALSE, TRUE)) {
    f <- as.formula(paste(if (entry) "Surv(entry,time,event) ~" else "Surv(time,event) ~", if (strata) "strata(strata) +", s))
    tag <- paste(c(if (entry) "entry", if (strata) "strata", if (weights) "weights", if (!(entry | strata | weights)) "harrell"), collapse="_")
    r <- if (weights) concordance(f, d, reverse=TRUE, influence=1, weights=w) else concordance(f, d, reverse=TRUE, influence=1)
    cases[[paste(k, s, tag, sep="/")]] <- values(r, k == "toy" | (k == "lung" & tag == "entry_strata_weights"))
  }
}
for (k in names(sets)) {
  d <- sets[[k]]
  tau <- unname(quantile(d$time, .7))
  add <- function(tag, r, ...) cases[[paste(k, tag, sep="/")]] <<- c(values(r, FALSE), list(...))
  for (s in c("sA", "sB")) {
    f <- as.formula(paste("Surv(time,event) ~", s))
    at <- function(tag) paste(s, tag, sep="/")
    add(at("cluster"), concordance(f, d, reverse=TRUE, cluster=cl))
    add(at("weights_cluster"), concordance(f, d, reverse=TRUE, weights=w, cluster=cl))
    for (timewt in c("S", "S/G", "n/G", "n/G2", "I")) {  # R takes n/G as an abbreviation of n/G2
      add(at(paste("timewt", timewt)), concordance(f, d, reverse=TRUE, timewt=timewt), timewt=if (timewt == "n/G") "n/G2" else timewt)
      add(at(paste("weights_timewt", timewt)), concordance(f, d, reverse=TRUE, timewt=timewt, weights=w), timewt=if (timewt == "n/G") "n/G2" else timewt)
    }
    fs <- as.formula(paste("Surv(time,event) ~ strata(strata) +", s))
    add(at("strata_timewt S/G"), concordance(fs, d, reverse=TRUE, timewt="S/G"), timewt="S/G")
    add(at("strata_weights_timewt n/G2"), concordance(fs, d, reverse=TRUE, timewt="n/G2", weights=w), timewt="n/G2")
    add(at("tau"), concordance(f, d, reverse=TRUE, ymax=tau), tau=tau)
    add(at("timewt n/G2_tau"), concordance(f, d, reverse=TRUE, timewt="n/G2", ymax=tau), timewt="n/G2", tau=tau)
    if (all(d$time[d$event == 0] >= tau / 3)) add(at("ymin"), concordance(f, d, reverse=TRUE, ymin=tau / 3, ymax=tau), tau=tau, ymin=tau / 3)
  }
  f1 <- coxph(Surv(time, event) ~ sA, d, init=1, iter.max=0)
  f2 <- coxph(Surv(time, event) ~ sB, d, init=1, iter.max=0)
  for (timewt in c("n", "n/G2")) {
    r <- concordance(f1, f2, timewt=timewt)
    difference <- c(-1, 1) %*% r$var %*% c(-1, 1)
    compared[[paste(k, timewt, sep="/")]] <- list(C=unname(r$concordance), var=unname(r$var), timewt=timewt, se=sqrt(difference[1]))
  }
}
versions <- list(R=paste(R.version$major, R.version$minor, sep="."), survival=as.character(packageVersion("survival")))
write_json(list(versions=versions, cases=cases, compared=compared), "concordance.json", digits=NA, auto_unbox=TRUE, na="null")
gz <- gzfile("concordance.csv.gz", "w")
write.csv(do.call(rbind, lapply(names(sets), function(k) cbind(set=k, sets[[k]]))), gz, row.names=FALSE, quote=FALSE)
close(gz)
cat(length(cases), "cases\n")
