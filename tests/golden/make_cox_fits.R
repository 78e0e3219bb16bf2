# Cox regressions by R's survival: coefficients, standard errors, tests and concordance, with the rows they are made from.
suppressMessages({library(survival); library(jsonlite)})
exact <- coxph.control(eps = 1e-12, toler.chol = 1e-14, iter.max = 100)
sets <- list()
cases <- list()

numbers <- function(formula, data) {
  x <- model.matrix(formula, data)[, -1, drop = FALSE]
  as.data.frame(x, check.names = FALSE, optional = TRUE)
}

add <- function(name, set, x, time, event, entry = NULL, weight = NULL, stratum = NULL, cluster = NULL, offset = NULL,
                robust = NULL, ridge = NULL) {
  d <- sets[[set]]
  right <- if (is.null(ridge)) paste0("`", x, "`", collapse = "+") else
    paste0("ridge(", paste0("`", x, "`", collapse = ","), ",theta=", ridge, ",scale=FALSE)")
  if (!is.null(stratum)) right <- paste0(right, "+strata(", stratum, ")")
  if (!is.null(cluster)) right <- paste0(right, "+cluster(", cluster, ")")
  if (!is.null(offset)) right <- paste0(right, "+offset(", offset, ")")
  left <- paste0("Surv(", paste(c(entry, time, event), collapse = ","), ")")
  formula <- as.formula(paste(left, "~", right))
  d$weight_ <- if (is.null(weight)) 1 else d[[weight]]
  fits <- list()
  for (ties in c("efron", "breslow")) {
    more <- c(list(formula, data = d, ties = ties, control = exact),
              if (!is.null(weight)) list(weights = quote(weight_)), if (!is.null(robust)) list(robust = robust))
    f <- do.call(coxph, more)
    naive <- if (is.null(f$naive.var)) f$var else f$naive.var
    fits[[ties]] <- list(
      coef = unname(coef(f)), se = sqrt(diag(as.matrix(naive))), var = as.matrix(naive),
      robust_se = if (is.null(f$naive.var)) NULL else sqrt(diag(as.matrix(f$var))), loglik_null = f$loglik[1],
      loglik = tail(f$loglik, 1), wald = unname(f$wald.test), score = unname(f$score), robust_score = unname(f$rscore),
      concordance = unname(f$concordance["concordance"]), concordance_se = unname(f$concordance["std"]),
      low = unname(confint(f)[, 1]), high = unname(confint(f)[, 2]))
  }
  roles <- list(set = set, x = I(x), time = time, event = event, entry = entry, weight = weight, stratum = stratum,
                cluster = cluster, offset = offset, robust = robust, ridge = ridge)
  cases[[name]] <<- c(Filter(Negate(is.null), roles), fits)
}

set.seed(1)
lung$w_int <- rep(1:3, length.out = nrow(lung))
lung$w_frac <- round(runif(nrow(lung), .2, 2.5), 3)
lung$death <- lung$status - 1
lung$months <- ceiling(lung$time / 30.4)
lung$known <- .02 * lung$age
small <- c("age", "sex", "ph.ecog")
full <- c(small, "ph.karno", "pat.karno", "meal.cal", "wt.loss")
keep <- c("time", "death", "months", "known", "w_int", "w_frac")
sets$lung_full <- na.omit(lung[, c(full, keep)])
sets$lung <- na.omit(lung[, c(small, keep)])
sets$lung_all <- lung[, c("age", "sex", keep)]
sets$lung_inst <- na.omit(lung[, c(small, keep, "inst")])
add("lung_full", "lung_full", full, "time", "death")
add("lung_small", "lung", small, "time", "death")
add("lung_strata", "lung", c("age", "ph.ecog"), "time", "death", stratum = "sex")
add("lung_cluster", "lung_inst", small, "time", "death", cluster = "inst")
add("lung_robust", "lung", small, "time", "death", robust = TRUE)
add("lung_offset", "lung_all", "sex", "time", "death", offset = "known")
add("lung_ridge", "lung", small, "time", "death", ridge = 2)
add("lung_whole_weights", "lung", small, "time", "death", weight = "w_int")
add("lung_weights", "lung", small, "time", "death", weight = "w_frac")
add("lung_weights_strata", "lung", c("age", "ph.ecog"), "time", "death", weight = "w_frac", stratum = "sex")
add("lung_months", "lung", small, "months", "death")

x <- numbers(~ trt + celltype + karno + diagtime + age + prior, veteran)
sets$veteran <- cbind(x, time = veteran$time, status = veteran$status, celltype = as.integer(veteran$celltype))
add("veteran", "veteran", names(x), "time", "status")
add("veteran_strata", "veteran", c("trt", "karno", "diagtime", "age", "prior"), "time", "status", stratum = "celltype")

sets$gbsg <- gbsg[, c("age", "meno", "size", "grade", "nodes", "pgr", "er", "hormon", "rfstime", "status")]
add("gbsg", "gbsg", names(sets$gbsg)[1:8], "rfstime", "status")

x <- numbers(~ age + meno + size + grade + nodes + pgr + er + hormon + chemo, rotterdam)
sets$rotterdam <- cbind(x, dtime = rotterdam$dtime, death = rotterdam$death,
  rfs = pmin(rotterdam$rtime, rotterdam$dtime), relapse = pmax(rotterdam$recur, rotterdam$death))
add("rotterdam_death", "rotterdam", names(x), "dtime", "death")
add("rotterdam_relapse", "rotterdam", names(x), "rfs", "relapse")

x <- numbers(~ age + sex + kappa + lambda + mgus, flchain)
sets$flchain <- cbind(x, futime = flchain$futime, death = flchain$death, both = 2 * x$sexM + x$mgus)
add("flchain", "flchain", names(x), "futime", "death")
add("flchain_strata", "flchain", c("age", "kappa", "lambda"), "futime", "death", stratum = "both")

sets$pbc_all <- with(pbc, data.frame(age, edema, lbili = log(bili), lprotime = log(protime), lalbumin = log(albumin),
  time, death = as.integer(status == 2), quarters = ceiling(time / 91.3)))
sets$pbc <- na.omit(sets$pbc_all)
sets$pbc_all$lprotime <- NULL
add("pbc", "pbc", c("age", "edema", "lbili", "lprotime", "lalbumin"), "time", "death")
add("pbc_quarters", "pbc_all", c("age", "lbili"), "quarters", "death")

x <- setNames(numbers(~ factor(histol) + factor(instit) + factor(stage) + age, nwtco),
  c("histol2", "instit2", "stage2", "stage3", "stage4", "age"))
sets$nwtco <- cbind(x, edrel = nwtco$edrel, rel = nwtco$rel, months = round(nwtco$edrel / 30.4))
add("nwtco", "nwtco", names(x), "edrel", "rel")
add("nwtco_months", "nwtco", names(x), "months", "rel")

colon <- subset(colon, !is.na(nodes))
x <- numbers(~ rx + sex + age + obstruct + perfor + adhere + nodes, colon)
names(x)[1:2] <- c("lev", "lev5fu")
sets$colon <- cbind(x, time = colon$time, status = colon$status, etype = colon$etype, id = colon$id)
add("colon_cluster", "colon", names(x), "time", "status", stratum = "etype", cluster = "id")

x <- c("age", "year", "surgery", "transplant")
sets$heart <- transform(heart, transplant = as.integer(transplant) - 1)[, c(x, "start", "stop", "event", "id")]
add("heart", "heart", x, "stop", "event", entry = "start")
add("heart_cluster", "heart", x, "stop", "event", entry = "start", cluster = "id")

x <- numbers(~ age + sex + disease, kidney)
sets$kidney <- cbind(x, time = kidney$time, status = kidney$status, id = kidney$id)
add("kidney_cluster", "kidney", names(x), "time", "status", cluster = "id")

x <- setNames(numbers(~ treat + sex + age + inherit + steroids + propylac, cgd),
  c("treat", "female", "age", "autosomal", "steroids", "propylac"))
sets$cgd <- cbind(x, tstart = cgd$tstart, tstop = cgd$tstop, status = cgd$status, id = cgd$id)
add("cgd_counting", "cgd", names(x), "tstop", "status", entry = "tstart", cluster = "id")

sets$bladder2 <- bladder2[, c("rx", "size", "number", "start", "stop", "event", "enum", "id")]
add("bladder2", "bladder2", c("rx", "size", "number"), "stop", "event", entry = "start", stratum = "enum", cluster = "id")

m <- subset(mgus2, !is.na(mspike) & futime > 0)
sets$mgus2 <- with(m, data.frame(male = as.integer(sex == "M"), mspike, am = age * 12, am1 = age * 12 + futime,
  age, age1 = age + futime / 12, death, w = 1 + seq_along(age) %% 3))
add("mgus2_age", "mgus2", c("male", "mspike"), "age1", "death", entry = "age")
add("mgus2_months", "mgus2", c("male", "mspike"), "am1", "death", entry = "am")
add("mgus2_strata_weights", "mgus2", "mspike", "am1", "death", entry = "am", weight = "w", stratum = "male")

x <- numbers(~ trt + type, retinopathy)
sets$retinopathy <- cbind(x, futime = retinopathy$futime, status = retinopathy$status, id = retinopathy$id)
add("retinopathy", "retinopathy", names(x), "futime", "status", cluster = "id")

tr <- na.omit(transplant[, c("age", "sex", "abo", "year", "futime", "event")])
x <- numbers(~ age + sex + abo + year, tr)
sets$transplant <- cbind(x, time = tr$futime + .5, death = as.integer(tr$event == "death"))
add("transplant", "transplant", names(x), "time", "death")

# a column that others make up, and one that is constant, are NA in R
lung2 <- transform(sets$lung, twice = 2 * age - sex, one = 1)
f <- coxph(Surv(time, death) ~ age + sex + twice + one + ph.ecog, lung2, control = exact)
singular <- list(coef = unname(coef(f)), loglik = f$loglik[2])
separated <- suppressWarnings(coxph(Surv(time, death) ~ age + lucky, transform(sets$lung, lucky = death == 0 & time > 500)))
versions <- list(R = R.version.string, survival = as.character(packageVersion("survival")))
out <- list(versions = versions, sets = sets, cases = cases, singular = singular,
            separated = list(coef = unname(coef(separated)), loglik = separated$loglik[2]))
file <- gzfile("cox_fits.json.gz", "w")
writeLines(toJSON(out, digits = NA, auto_unbox = TRUE, dataframe = "columns", na = "null", null = "null"), file)
close(file)
cat(length(cases), "cases\n")
