"""What bad input meets, by number: where each kind is tested."""

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OUTCOME, DESIGN, COLUMNS, FOLDS = (f"tests/test_{name}.py" for name in ("outcome", "design", "columns", "folds"))
FIT, STEPS, LOSS = "tests/estimators/test_bad_input.py", "tests/train/test_fit.py", "tests/heads/test_cox.py"
C = "tests/metrics/test_concordance.py"
ITEMS = {
    # the outcome
    1: [f"{OUTCOME}::test_1_2_3_time_missing_infinite_negative"],
    2: [f"{OUTCOME}::test_1_2_3_time_missing_infinite_negative"],
    3: [f"{OUTCOME}::test_1_2_3_time_missing_infinite_negative"],
    4: [f"{OUTCOME}::test_4_zero_time", f"{OUTCOME}::test_4_zero_time_entered_at_zero"],
    5: [f"{OUTCOME}::test_every_form_is_the_same_outcome"],
    6: [f"{OUTCOME}::test_6_codes_beyond_0_and_1_need_a_name"],
    7: [f"{OUTCOME}::test_7_fractions_among_events"],
    8: [f"{OUTCOME}::test_8_missing_event"],
    9: [f"{OUTCOME}::test_9_events_as_text", f"{OUTCOME}::test_9_events_as_dates"],
    10: [f"{OUTCOME}::test_10_no_event", f"{FIT}::test_10_no_event"],
    11: [f"{OUTCOME}::test_11_few_events", f"{FIT}::test_11_few_events"],
    12: [f"{FOLDS}::test_a_fold_without_events_is_refused_with_a_number_that_works"],
    13: [
        f"{STEPS}::test_batches_without_events_make_no_step_and_are_counted",
        f"{FIT}::test_13_batches_without_events",
    ],
    14: [
        f"{LOSS}::test_all_times_tied_has_a_closed_form",
        f"{C}::test_without_comparable_pairs_c_is_undefined",
        f"{FIT}::test_14_all_times_tied",
    ],
    15: [
        f"{LOSS}::test_loss_and_gradient_equal_r",
        f"{LOSS}::test_order_of_rows_at_twelve_distinct_times",
        f"{FIT}::test_15_twelve_distinct_times",
    ],
    16: [f"{OUTCOME}::test_16_the_unit_of_time_changes_no_tie", f"{FIT}::test_16_the_unit_of_time_does_not_matter"],
    17: [f"{OUTCOME}::test_17_time_as_dates_text_or_flags"],
    18: [f"{OUTCOME}::test_18_times_that_look_like_days", f"{FIT}::test_18_days_given_as_months"],
    # the predictors
    19: [f"{COLUMNS}::test_19_missing_cells_are_counted_by_column", f"{COLUMNS}::test_19_missing_in_any_type"],
    20: [f"{COLUMNS}::test_20_infinite_cells"],
    21: [f"{COLUMNS}::test_21_all_missing"],
    22: [f"{COLUMNS}::test_22_constant_columns_are_dropped_and_listed", f"{FIT}::test_22_a_constant_column"],
    23: [f"{DESIGN}::test_23_constant_in_the_training_rows_only", f"{FIT}::test_23_constant_in_the_training_rows_only"],
    24: [f"{DESIGN}::test_24_duplicate_columns_are_kept_and_noted", f"{FIT}::test_24_25_collinear_columns"],
    25: [f"{DESIGN}::test_25_a_full_set_of_flags", f"{FIT}::test_24_25_collinear_columns"],
    26: [f"{COLUMNS}::test_26_values_far_off", f"{COLUMNS}::test_26_skewed_and_zero_inflated_columns_are_fine"],
    27: [f"{COLUMNS}::test_27_a_large_scale_changes_nothing", f"{FIT}::test_27_scale_of_a_column"],
    28: [f"{FIT}::test_28_more_columns_than_rows"],
    29: [f"{DESIGN}::test_29_one_or_two_rows", f"{FOLDS}::test_fewer_rows_than_folds"],
    30: [f"{DESIGN}::test_30_empty"],
    31: [f"{COLUMNS}::test_31_numbers_read_as_text", f"{COLUMNS}::test_31_text_where_training_had_numbers"],
    32: [f"{COLUMNS}::test_32_mixed_types"],
    33: [f"{COLUMNS}::test_33_every_type_of_number_gives_the_same", f"{FIT}::test_33_every_type_gives_the_same"],
    34: [f"{COLUMNS}::test_34_too_many_levels"],
    35: [f"{DESIGN}::test_35_names"],
    36: [
        "tests/test_baselines.py::test_a_likelihood_without_maximum_is_named_and_fitted",
        f"{FIT}::test_36_perfect_separation",
    ],
    37: [f"{DESIGN}::test_37_leaks", f"{DESIGN}::test_37_no_leak_where_nothing_can_be_told"],
    38: [f"{DESIGN}::test_38_patient_numbers"],
    39: [f"{DESIGN}::test_39_read_only_memmap_and_fortran_arrays", f"{FIT}::test_39_layout_of_the_data"],
    # rows and index
    40: [f"{OUTCOME}::test_40_lengths"],
    41: [f"{OUTCOME}::test_41_indices"],
    42: [
        f"{LOSS}::test_order_of_rows_at_twelve_distinct_times",
        f"{FOLDS}::test_folds_go_by_row_labels_not_by_row_order",
        f"{FIT}::test_42_shuffled_rows",
    ],
    43: [f"{FOLDS}::test_repeated_row_labels_need_groups", f"{FOLDS}::test_groups_keep_a_patient_in_one_part"],
    44: [
        f"{OUTCOME}::test_44_bad_weight",
        f"{OUTCOME}::test_44_weights_all_zero",
        f"{STEPS}::test_a_whole_weight_is_repetition",
    ],
}


@cache
def names_in(file: str) -> list[str]:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]


@pytest.mark.parametrize("item", range(1, 45))
def test_every_item_has_its_tests(item):
    for place in ITEMS[item]:
        file, name = place.split("::")
        assert name in names_in(file), place
