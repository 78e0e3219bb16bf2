"""From a registry's export or any table to an analysis cohort: recipes, code books, and every exclusion counted.

A *code book* says what columns and cells mean, a *recipe* which of them make predictors, outcomes and exclusions, a
*flow* what each exclusion cost; `build_cohort` applies a recipe to a file.
"""

from survlspin.cohort.build import Cohort, build_cohort, read_cohort
from survlspin.cohort.codebook import Codebook, Values
from survlspin.cohort.flow import Count, Flow, Step
from survlspin.cohort.recipe import Recipe, load_recipe, recipes

__all__ = [
    "Codebook",
    "Cohort",
    "Count",
    "Flow",
    "Recipe",
    "Step",
    "Values",
    "build_cohort",
    "load_recipe",
    "read_cohort",
    "recipes",
]
