# Makes score.json.gz: time-dependent AUC and Brier score with standard errors and contrasts by riskRegression::Score,
# integrated Brier score by pec, explained variation by survival::royston, and the rows that they are of.
# Run in this folder: Rscript make_score.R (riskRegression 2022.11.28, pec 2022.5.4, survival 3.5-3)
suppressMessages({library(survival); library(riskRegression); library(pec); library(prodlim); library(jsonlite)})
ctl <- coxph.control(eps=1e-12, toler.chol=1e-14, iter.max=100)
cols <- function(d) lapply(as.list(as.data.frame(d)), unname)
scored <- function(formula, data, risks, times, ...) {
  s <- Score(risks, formula=formula, data=data, times=times, metrics=c("auc", "brier"), summary=c("ipa", "ibs"), ...)
  list(times=times, auc=cols(s$AUC$score), auc_contrasts=cols(s$AUC$contrasts), brier=cols(s$Brier$score), brier_contrasts=cols(s$Brier$contrasts))
}
km <- function(formula, data, risks, times) scored(formula, data, risks, times, cens.model="km", se.fit=TRUE, contrasts=TRUE, null.model=TRUE, conservative=FALSE)
out <- list()

# Rotterdam's model of five years on GBSG: lymph nodes, size and grade; and without nodes
lnode <- function(x) log(pmin(x, 19) + 1)
ro <- transform(rotterdam, t=pmin(rtime, dtime) / 365.25, e=as.integer(recur == 1 | death == 1), lnode=lnode(nodes), ssize=as.integer(factor(size)) - 1, g3=as.integer(grade == 3))
gb <- transform(gbsg, t=rfstime / 365.25, e=status, lnode=lnode(nodes), ssize=cut(size, c(-1, 20, 50, 500), labels=FALSE) - 1, g3=as.integer(grade == 3))
ro$t5 <- pmin(ro$t, 5); ro$e5 <- ifelse(ro$t > 5, 0, ro$e)
f1 <- coxph(Surv(t5, e5) ~ ssize + lnode + g3, ro, ties="breslow", control=ctl, x=TRUE, y=TRUE)
f2 <- coxph(Surv(t5, e5) ~ ssize + g3, ro, ties="breslow", control=ctl, x=TRUE, y=TRUE)
tt <- c(1, 2, 3, 4, 4.5)
p <- list(m1=predictRisk(f1, newdata=gb, times=tt), m2=predictRisk(f2, newdata=gb, times=tt))
out$gbsg <- c(list(time=gb$t, event=gb$e, risks=lapply(p, unname)), km(Surv(t, e) ~ 1, gb, p, tt))
grid <- seq(0, 4.5, .05)
S <- 1 - predictRisk(f1, newdata=gb, times=grid)
pe <- pec(list(m1=S), formula=Surv(t, e) ~ 1, data=gb, times=grid, exact=FALSE, cens.model="marginal", verbose=FALSE)
lp <- predict(f1, newdata=gb, type="lp")
out$pec <- list(times=grid, lp=unname(lp), hazard=-log(S[1, ]) / exp(lp[1]), brier=pe$AppErr, ibs_4.5=as.list(crps(pe, times=4.5)[, 1]), ibs_3=as.list(crps(pe, times=3)[, 1]))

# the same patients in whole months, risks in tenths; the horizons lie between months, so that nobody is censored at one
mo <- transform(gb, t=floor(rfstime / 30.4)); tm <- c(12.5, 36.5, 54.5)
pm <- list(m1=round(predictRisk(f1, newdata=gb, times=tm / 12), 1), m2=round(predictRisk(f2, newdata=gb, times=tm / 12), 1))
out$months <- c(list(time=mo$t, event=mo$e, risks=lapply(pm, unname)), km(Surv(t, e) ~ 1, mo, pm, tm))

# primary biliary cirrhosis: marginal censoring, and censoring that depends on covariates
pb <- subset(pbc, !is.na(trt)); pb$ev <- as.integer(pb$status == 2); pb$lb <- log(pb$bili)
fp <- coxph(Surv(time, ev) ~ age + lb + edema, pb, x=TRUE, y=TRUE, control=ctl); tp <- c(365, 1095, 1825, 2920)
rp <- list(m=predictRisk(fp, newdata=pb, times=tp))
out$pbc <- c(list(time=pb$time, event=pb$ev, risks=lapply(rp, unname)), km(Surv(time, ev) ~ 1, pb, rp, tp))
cx <- scored(Surv(time, ev) ~ age + lb, pb, rp, tp, cens.model="cox", se.fit=FALSE)
w <- riskRegression:::getCensoringWeights(Surv(time, ev) ~ age + lb, data.table::data.table(time=pb$time, status=pb$ev, pb[, c("age", "lb")]), times=tp, cens.model="cox", response.type="survival")
out$pbc_cox <- c(list(at_time=w$IPCW.subject.times, at_horizon=unname(w$IPCW.times)), cx)

# monoclonal gammopathy: progression, with death as the competing risk
m <- transform(mgus2, et=ifelse(pstat == 0, futime, ptime) + .5, ev=ifelse(pstat == 0, 2 * death, 1)); m <- m[complete.cases(m[, c("age", "sex", "mspike")]), ]
cs <- CSC(Hist(et, ev) ~ age + sex + mspike, data=m, cause=1); cs2 <- CSC(Hist(et, ev) ~ age, data=m, cause=1); tc <- c(60, 120, 180)
rc <- list(m1=predictRisk(cs, newdata=m, times=tc, cause=1), m2=predictRisk(cs2, newdata=m, times=tc, cause=1))
out$mgus2 <- c(list(time=m$et, event=m$ev, risks=lapply(rc, unname)), scored(Hist(et, ev) ~ 1, m, rc, tc, cause=1, cens.model="km", se.fit=TRUE, contrasts=TRUE, null.model=TRUE, conservative=FALSE))

out$royston <- list(time=ro$t5, event=ro$e5, lp=unname(predict(f1)), apparent=as.list(royston(f1)), new=as.list(royston(f1, newdata=transform(gb, t5=t, e5=e))))
# the worked example of McLernon et al. (2023): five years, lymph nodes cut at the 99 % point with a spline
died <- ro$recur == 0 & ro$death == 1 & ro$rtime < ro$dtime
sr <- transform(rotterdam, y=ifelse(died, dtime, rtime) / 365.25, rfs=pmax(recur, death), k=size, g3=grade == 3)
sg <- transform(gbsg, k=cut(size, c(-1, 20, 50, 500), levels(rotterdam$size)), g3=grade == 3)
cut99 <- quantile(rotterdam$nodes, .99, type=1); cube <- function(u) pmax(u, 0)^3
nodes <- function(d) { x <- pmin(d$nodes, cut99); transform(d, n2=x, n3=(cube(x) - cube(x - 1) * 9 / 8 + cube(x - 9) / 8) / 81) }
sr$rfs <- ifelse(sr$y > 5, 0, sr$rfs); sr$y <- pmin(sr$y, 5)
fs <- coxph(Surv(y, rfs) ~ k + n2 + n3 + g3, nodes(sr))
out$stratos <- list(risk5=1 - unname(summary(survfit(fs, newdata=nodes(sg)), times=5)$surv[1, ]))
out$versions <- as.list(sapply(c("survival", "riskRegression", "pec"), function(p) as.character(packageVersion(p))))
gz <- gzfile("score.json.gz", "w"); write(toJSON(out, digits=NA, auto_unbox=TRUE, na="null"), gz); close(gz)
cat(names(out), sep="\n")
