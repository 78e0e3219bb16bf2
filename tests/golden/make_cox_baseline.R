# Makes cox_baseline.json: baseline hazards of fitted Cox models, and the curves of two new patients.
# Run in this folder: Rscript make_cox_baseline.R
suppressMessages({library(survival); library(jsonlite)})

lung <- na.omit(lung[c("time", "status", "age", "sex", "ph.ecog")])
models <- list(
  lung=list(formula=Surv(time, status == 2) ~ age + sex + ph.ecog, data=lung),
  veteran=list(formula=Surv(time, status) ~ trt + karno + age + prior + strata(celltype), data=veteran),
  heart=list(formula=Surv(start, stop, event) ~ age + year + surgery + transplant, data=heart))

cases <- list()
for (name in names(models)) for (ties in c("efron", "breslow")) {
  fit <- coxph(models[[name]]$formula, models[[name]]$data, ties=ties, x=TRUE, control=coxph.control(eps=1e-12, toler.chol=1e-14, iter.max=100))
  y <- as.matrix(fit$y)
  h <- basehaz(fit, centered=FALSE)
  case <- list(time=unname(y[, ncol(y) - 1]), event=unname(y[, ncol(y)]), lp=unname(drop(fit$x %*% coef(fit))), basehaz=list(time=h$time, hazard=h$hazard))
  if (name == "heart") case$entry <- unname(y[, 1])
  if (name == "veteran") {
    case$strata <- as.character(veteran$celltype)
    case$basehaz$strata <- as.character(h$strata)
  }
  if (name == "lung") {
    new <- data.frame(age=c(50, 70), sex=c(1, 2), ph.ecog=c(0, 2))
    s <- survfit(fit, newdata=new)
    case$new <- list(lp=unname(drop(as.matrix(new) %*% coef(fit))), time=s$time, survival=t(unname(s$surv)))
  }
  cases[[paste(name, ties, sep="/")]] <- case
}
versions <- list(R=paste(R.version$major, R.version$minor, sep="."), survival=as.character(packageVersion("survival")))
write_json(list(versions=versions, cases=cases), "cox_baseline.json", digits=NA, auto_unbox=TRUE)
cat(length(cases), "cases\n")
