# Makes concordance.json and concordance.csv.gz: Harrell's C by survival::concordance on six data sets with two scores each.
# Run in this folder: Rscript make_concordance.R
suppressMessages({library(survival); library(jsonlite)})

set.seed(42)  # three draws, of which the last is used
for (cfg in list(c(60, 8, .5), c(300, 40, .12), c(2000, 130, .12))) {
  n <- cfg[1]
  tied <- data.frame(time=sample(0:cfg[2], n, TRUE), event=rbinom(n, 1, cfg[3]), lp=round(rnorm(n), 4), strata=sample(1:4, n, TRUE), w=round(runif(n, .2, 3), 3))
  sample(1:20, n, TRUE)
}
sets <- list(
  lung=with(lung, data.frame(time, event=as.integer(status == 2), sA=round(age / 10 + ifelse(is.na(ph.ecog), 1, ph.ecog), 3), sB=age, strata=sex)),
  gbsg=with(gbsg, data.frame(time=rfstime, event=status, sA=round(.05 * nodes - .3 * hormon + .3 * grade, 2), sB=size, strata=grade)),
  flchain=with(flchain, data.frame(time=futime, event=death, sA=round(age / 5), sB=round(kappa + lambda, 4), strata=as.integer(sex == "F"))),
  rotterdam_months=with(rotterdam, data.frame(time=floor(dtime / 30.4), event=death, sA=round(log1p(nodes) + .3 * grade, 1), sB=-pgr, strata=grade)),
  toy=data.frame(time=c(1, 2, 2, 2, 3, 3, 4, 5, 5, 6), event=c(1, 1, 1, 0, 1, 0, 0, 1, 1, 0), sA=c(3, 3, 2, 2, 2, 1, 4, 1, 0, 0), sB=10:1, strata=rep(1:2, 5)),
  tied_n2000=with(tied, data.frame(time, event, sA=round(lp, 1), sB=round(lp + .5 * w, 5), strata)))

values <- function(r, influence) {
  count <- if (is.matrix(r$count)) unname(split(r$count, row(r$count))) else list(unname(r$count))
  c(list(C=unname(r$concordance), se=unname(sqrt(r$var)), count=count), if (influence) list(influence=unname(r$dfbeta)))
}

set.seed(7)
cases <- list()
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
versions <- list(R=paste(R.version$major, R.version$minor, sep="."), survival=as.character(packageVersion("survival")))
write_json(list(versions=versions, cases=cases), "concordance.json", digits=NA, auto_unbox=TRUE, na="null")
gz <- gzfile("concordance.csv.gz", "w")
write.csv(do.call(rbind, lapply(names(sets), function(k) cbind(set=k, sets[[k]]))), gz, row.names=FALSE, quote=FALSE)
close(gz)
cat(length(cases), "cases\n")
