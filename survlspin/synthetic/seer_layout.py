"""Which columns an invented export has, submission by submission, and what they are called."""

from dataclasses import dataclass

__all__ = ["SUBMISSIONS", "Submission"]

PERSON = ("patient_id", "sex", "age", "year", "race", "origin", "marital")
TUMOUR = ("site", "site_recode", "laterality", "histology", "behavior", "grade", "confirmation", "report_source")
EXTENT = ("size_eod", "size_cs", "size_sum", "nodes_pos", "nodes_exam", "t6", "n6", "m6", "stage6")
EXTENT16 = ("t16", "n16", "m16", "stage16", "summary_stage", "er", "pr", "her2", "subtype", "surgery", "no_surgery")
COURSE = ("sequence", "first_primary", "n_malignant", "survival_months", "survival_flag", "vital", "cod")
END = ("cause_breast", "cause_other", "followup_type")
COMMON = PERSON + TUMOUR + EXTENT + EXTENT16 + COURSE + END
EXTENT18 = ("t18", "n18", "m18", "stage18", "grade_clin", "grade_path", "grade_2018")
TREATMENT = ("radiation", "chemo")

FIXED = {  # name in the files of 1975-2016, first byte, width
    "patient_id": ("PUBCSNUM", 1, 8),
    "registry": ("REG", 9, 10),
    "marital": ("MAR_STAT", 19, 1),
    "sex": ("SEX", 24, 1),
    "age": ("AGE_DX", 25, 3),
    "sequence": ("SEQ_NUM", 35, 2),
    "year": ("YEAR_DX", 39, 4),
    "site": ("PRIMSITE", 43, 4),
    "laterality": ("LATERAL", 47, 1),
    "histology": ("HISTO3V", 53, 4),
    "behavior": ("BEHO3V", 57, 1),
    "grade": ("GRADE", 58, 1),
    "confirmation": ("DX_CONF", 59, 1),
    "report_source": ("REPT_SRC", 60, 1),
    "size_eod": ("EOD10_SZ", 61, 3),
    "nodes_pos": ("EOD10_PN", 69, 2),
    "nodes_exam": ("EOD10_NE", 71, 2),
    "size_cs": ("CSTUMSIZ", 96, 3),
    "surgery": ("SURGPRIF", 159, 2),
    "no_surgery": ("NO_SURG", 166, 1),
    "followup_type": ("TYPE_FU", 191, 1),
    "age_recode": ("AGE_1REC", 192, 2),
    "site_recode": ("SITERWHO", 199, 5),
    "race_wbo": ("RAC_RECA", 233, 1),
    "race": ("RAC_RECY", 234, 1),
    "origin": ("ORIGRECB", 235, 1),
    "summary_stage": ("HST_STGA", 236, 1),
    "first_primary": ("FIRSTPRM", 245, 1),
    "cod": ("CODPUB", 255, 5),
    "vital": ("STAT_REC", 265, 1),
    "cause_breast": ("VSRTSADX", 272, 1),
    "cause_other": ("ODTHCLASS", 273, 1),
    "er": ("ERSTATUS", 278, 1),
    "pr": ("PRSTATUS", 279, 1),
    "survival_months": ("SRV_TIME_MON", 301, 4),
    "survival_flag": ("SRV_TIME_MON_FLAG", 305, 1),
    "t6": ("ADJTM_6VALUE", 324, 2),
    "n6": ("ADJNM_6VALUE", 326, 2),
    "m6": ("ADJM_6VALUE", 328, 2),
    "stage6": ("ADJAJCCSTG", 330, 2),
    "her2": ("HER2", 341, 1),
    "subtype": ("BRST_SUB", 342, 1),
    "n_malignant": ("MALIGCOUNT", 359, 2),
    "size_sum": ("TUMSIZS", 364, 3),
    "stage16": ("DSRPSG", 367, 5),
    "t16": ("DASRCT", 372, 5),
    "n16": ("DASRCN", 377, 5),
    "m16": ("DASRCM", 382, 5),
}
RECORD = 394  # bytes of a line of those files


@dataclass(frozen=True)
class Submission:
    """What the export of a submission looks like.

    Attributes
    ----------
    database : str
        As in the .dic.
    last : int
        Year of the study cut-off.
    oldest : int
        The age from which on ages are top-coded.
    fields : tuple of str
        Columns in their order.
    headers : dict
        Field -> header where it differs from the code book's title.
    dead : str
        The code of death in unformatted and fixed-width files.
    """

    database: str
    last: int
    oldest: int
    fields: tuple[str, ...]
    headers: dict[str, str]
    dead: str


SUBMISSIONS = {
    "nov2018": Submission(
        "Incidence - SEER 18 Regs Custom Data (with additional treatment fields), Nov 2018 Sub (1975-2016 varying)",
        2016,
        200,
        (*COMMON, "age_recode", "race_wbo", "registry"),
        {
            "age": "Age at diagnosis",
            "grade": "Grade",
            "t16": "Derived SEER Combined T (2016+)",
            "n16": "Derived SEER Combined N (2016+)",
            "m16": "Derived SEER Combined M (2016+)",
            "stage16": "Derived SEER Cmb Stg Grp (2016+)",
            "summary_stage": "SEER historic stage A (1973-2015)",
            "surgery": "RX Summ--Surg Prim Site (1998+)",
            "registry": "SEER registry",
        },
        "0",
    ),
    "nov2020": Submission(
        "Incidence - SEER Research Data, 18 Registries, Nov 2020 Sub (2000-2018)",
        2018,
        100,
        (*COMMON, *EXTENT18, *TREATMENT, "race_origin", "income", "followup_year"),
        {
            "age": "Age recode with single ages and 100+",
            "size_cs": "CS tumor size (2004-2015)",
            "income": "Median household income inflation adj to 2019",
            "surgery": "RX Summ--Surg Prim Site (1998+)",
        },
        "4",
    ),
    "nov2025": Submission(
        "Incidence - SEER Research Data, 17 Registries, Nov 2025 Sub (2000-2023)",
        2023,
        90,
        (*COMMON, *EXTENT18, *TREATMENT, "race_origin", "income", "followup_year", "surgery23", "size_recode", "wait"),
        {
            "income": "Median household income inflation adj to 2024",
            "site_recode": "Site recode ICD-O-3 2023 Revision",
            "cod": "COD to site recode ICD-O-3 2023 Revision",
        },
        "4",
    ),
}
