"""What bad input meets, by number: where each kind is tested."""

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OUTCOME, DESIGN, COLUMNS, FOLDS = (f"tests/test_{name}.py" for name in ("outcome", "design", "columns", "folds"))
FIT, STEPS, LOSS = "tests/estimators/test_bad_input.py", "tests/train/test_fit.py", "tests/heads/test_cox.py"
C = "tests/metrics/test_concordance.py"
FAULTS, COMMAND, STUDY = "tests/test_faults.py", "tests/test_cli_faults.py", "tests/test_cli_study.py"
CHECKPOINT = "tests/train/test_checkpoint.py"
ASK, USUAL = "tests/estimators/test_bad_predict.py", "tests/test_usual.py"
READ, DISK = "tests/test_reading.py", "tests/test_storage.py"
STORE, LOCK = "tests/store/test_store.py", "tests/store/test_store_lock.py"
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
    # predictions
    45: [
        f"{DESIGN}::test_45_47_columns_are_found_by_name",
        f"{ASK}::test_45_47_order_and_further_columns_change_nothing",
    ],
    46: [
        f"{DESIGN}::test_46_absent_columns_are_named_with_the_nearest",
        f"{DESIGN}::test_46_arrays_have_no_names_to_go_by",
        f"{ASK}::test_46_a_renamed_column_is_named",
    ],
    47: [
        f"{ASK}::test_45_47_order_and_further_columns_change_nothing",
        f"{USUAL}::test_47_further_columns_are_counted_and_units_kept",
    ],
    48: [
        f"{DESIGN}::test_48_unseen_levels",
        f"{DESIGN}::test_48_a_category_of_no_training_patient_is_unseen",
        f"{ASK}::test_48_an_unseen_level_is_never_the_baseline",
        f"{USUAL}::test_48_unseen_levels_count_as_another_where_that_is_asked_for",
        f"{USUAL}::test_51_48_a_saved_model_tells_and_takes_the_same",
    ],
    49: [f"{ASK}::test_49_a_missing_cell_is_refused_with_its_place"],
    50: [f"{DESIGN}::test_50_one_row_and_none", f"{ASK}::test_50_one_row_no_row_and_pieces"],
    51: [
        f"{USUAL}::test_51_age_in_months_and_size_in_centimetres_are_told",
        f"{USUAL}::test_51_a_single_row_is_told_where_no_patient_could_be",
        f"{USUAL}::test_51_training_rows_and_others_of_their_kind_are_no_trouble",
        f"{USUAL}::test_51_48_a_saved_model_tells_and_takes_the_same",
    ],
    52: [f"{ASK}::test_52_nothing_is_predicted_before_fit"],
    # files
    53: [f"{READ}::test_latin_1_where_it_is_named"],
    54: [f"{READ}::test_every_dialect_gives_the_same_table", f"{READ}::test_what_cannot_be_read_is_refused"],
    55: [
        f"{READ}::test_every_dialect_gives_the_same_table",
        f"{READ}::test_leading_zeros_are_codes_or_numbers_by_choice",
    ],
    56: [f"{READ}::test_every_dialect_gives_the_same_table"],
    57: [f"{READ}::test_a_ragged_row_is_named_by_its_line"],
    58: ["tests/test_tables.py::test_every_text_comes_back_and_none_runs"],
    59: [f"{DISK}::test_59_a_file_cut_short_anywhere_is_refused"],
    60: [f"{DISK}::test_60_every_flipped_bit_is_refused"],
    61: [f"{DISK}::test_61_an_edited_manifest_is_refused", f"{DISK}::test_what_cannot_be_loaded"],
    62: [f"{DISK}::test_62_a_model_of_the_format_before_is_read", f"{DISK}::test_what_cannot_be_loaded"],
    63: [f"{DISK}::test_63_a_pickle_is_never_opened"],
    64: [f"{DISK}::test_64_links_archives_and_paths_that_lead_elsewhere_are_refused"],
    65: [
        "tests/report/test_report_page.py::test_text_is_escaped",
        "tests/report/test_report_page.py::test_the_page_is_valid_html_whose_names_are_its_own",
    ],
    66: [
        "tests/test_cli.py::test_a_fit_writes_a_model_that_can_be_loaded_elsewhere",
        "tests/test_cli.py::test_a_folder_that_cannot_be_written_is_exit_3",
        f"{DISK}::test_66_paths_of_any_name",
        f"{DISK}::test_a_folder_that_cannot_be_written_or_read",
        f"{READ}::test_the_missing_file_and_the_folder_are_refused",
        "tests/test_tables.py::test_paths_that_cannot_be_written",
    ],
    # faults
    67: [
        f"{FAULTS}::test_67_a_full_disk_ends_a_study_and_what_is_there_stays",
        f"{CHECKPOINT}::test_67_training_goes_on_where_no_checkpoint_can_be_written",
        f"{STORE}::test_a_small_disk_that_is_full_keeps_everything",
        f"{STUDY}::test_a_store_that_cannot_be_written_is_exit_3",
    ],
    68: [
        "tests/test_examples.py::test_68_kill_and_resume",
        f"{CHECKPOINT}::test_68_killed_it_goes_on_where_it_was",
        f"{STORE}::test_killed_at_any_instant_the_store_opens_and_all_in_it_is_whole",
    ],
    69: [
        f"{STUDY}::test_status_says_who_is_at_work",
        f"{STORE}::test_two_runs_on_one_store_the_second_is_refused",
        f"{LOCK}::test_another_process_is_named_until_it_is_killed",
        f"{LOCK}::test_of_two_processes_that_race_for_a_lock_one_wins",
    ],
    70: [
        f"{STUDY}::test_a_study_that_is_terminated_says_how_to_go_on",
        f"{STUDY}::test_ctrl_c_leaves_a_store_that_can_be_resumed",
    ],
    71: [
        f"{COMMAND}::test_71_73_a_killed_worker_an_odd_environment_and_a_clock_that_jumps_change_no_byte",
        "tests/protocol/test_work.py::test_what_dies_is_tried_once_more_then_named_and_costs_no_other_its_result",
    ],
    72: [f"{COMMAND}::test_72_a_limit_of_memory_refuses_a_study_before_it_begins"],
    73: [f"{COMMAND}::test_71_73_a_killed_worker_an_odd_environment_and_a_clock_that_jumps_change_no_byte"],
    74: [
        f"{FAULTS}::test_74_threads_change_no_digit",
        "tests/protocol/test_dask.py::test_four_processes_find_what_one_finds",
    ],
    75: [
        f"{FAULTS}::test_75_a_gpu_that_is_not_there_is_refused",
        "tests/estimators/test_cox.py::test_without_a_gpu_none_is_used_silently",
    ],
    76: [
        f"{STEPS}::test_76_a_loss_that_is_no_number_stops_training_and_the_best_weights_are_restored",
        "tests/estimators/test_cox.py::test_76_a_training_that_learns_nothing_but_nan_is_refused",
        "tests/estimators/test_cox.py::test_76_a_path_that_learns_nothing_but_nan_is_refused",
        f"{FAULTS}::test_76_a_model_that_learns_nothing_is_named_and_the_others_are_done",
    ],
    77: [f"{FAULTS}::test_77_nothing_asks_for_the_network"],
    78: [
        f"{CHECKPOINT}::test_78_a_damaged_checkpoint_gives_way_to_the_one_before",
        f"{FAULTS}::test_78_a_checkpoint_of_nothing_is_no_trouble",
        f"{FAULTS}::test_78_damaged_results_are_computed_again",
        f"{FAULTS}::test_78_trials_cut_off_are_made_again",
        f"{FAULTS}::test_78_trials_that_are_not_as_they_were_kept_are_refused",
    ],
    79: [f"{FAULTS}::test_79_a_half_finished_study_says_so"],
    80: ["tests/test_fuzz.py::test_any_table_is_answered_in_finite_numbers_or_refused_under_a_code"],
}
CHANGES = "tests/test_metamorphic.py"
RELATIONS = {
    "row permutation": [
        f"{CHANGES}::test_order_of_rows",
        f"{CHANGES}::test_order_of_rows_leaves_a_comparison",
        f"{CHANGES}::test_order_of_rows_leaves_tuning_and_probes",
        f"{STEPS}::test_order_of_rows_leaves_the_model",
        f"{LOSS}::test_order_of_rows_at_twelve_distinct_times",
        f"{C}::test_row_order_does_not_matter",
    ],
    "column permutation": [
        f"{CHANGES}::test_order_of_columns",
        f"{CHANGES}::test_order_of_columns_leaves_a_trained_net",
        f"{CHANGES}::test_order_of_columns_leaves_a_comparison",
    ],
    "affine rescaling of a covariate": [f"{CHANGES}::test_unit_and_origin_of_a_covariate"],
    "an increasing map of time": [
        f"{CHANGES}::test_an_increasing_map_of_time",
        f"{CHANGES}::test_an_increasing_map_of_time_leaves_a_comparison",
        f"{LOSS}::test_only_the_order_of_times_matters",
        f"{C}::test_only_the_order_of_times_and_risks_matters",
    ],
    "all rows twice": [f"{CHANGES}::test_every_patient_twice"],
    "rows censored after the last event": [
        f"{CHANGES}::test_when_patients_without_an_event_leave_after_the_last_one",
        f"{CHANGES}::test_patients_in_no_risk_set_say_nothing",
    ],
    "a constant added to the log-risk": [f"{CHANGES}::test_a_constant_added_to_the_log_risk"],
    "weight 2 and two copies": [
        f"{CHANGES}::test_weight_2_is_two_copies",
        f"{LOSS}::test_a_whole_weight_is_repetition_for_breslow",
        f"{C}::test_a_whole_weight_is_a_repeated_row",
    ],
    "all gates open": [f"{CHANGES}::test_with_all_gates_open_a_net_is_deepsurv"],
    "lambda without bound": [f"{CHANGES}::test_a_penalty_without_bound_leaves_the_null_model"],
}


@cache
def names_in(file: str) -> list[str]:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]


@pytest.mark.parametrize("item", range(1, 81))
def test_every_item_has_its_tests(item):
    check(ITEMS[item])


@pytest.mark.parametrize("relation", RELATIONS)
def test_every_relation_has_its_tests(relation):
    check(RELATIONS[relation])


def check(places: list[str]) -> None:
    assert places
    for place in places:
        file, name = place.split("::")
        assert name in names_in(file), place
