import numpy as np
import pandas as pd
import pytest
from seer.exports import dic_bytes, listing, written

from survlspin.errors import InputError
from survlspin.seer import read_matrix

NAMES = ["Page type", "Sex", "Interval", "Alive at Start", "Observed Survival (Cum)", "Observed SE (Cum)"]
ROWS = ["0\t0\t1\t28712\t0.99776\t0.00028", "0\t1\t2\t28399\t0.99381#\t0.00047*#", "1\t2\t.\t577\t+\t "]


def groups(folder, header, rows=ROWS, **how):
    options = {"Variable format": "numeric", "Variable names included": str(header).lower(), **how}
    (folder / "table.dic").write_bytes(
        dic_bytes(NAMES, options, {"Type": "Survival"}, "Life Page Variables", ["Var2Base=Sex~Race"])
    )
    lines = ["\t".join(f'"{name}"' for name in NAMES)] * header + rows
    (folder / "table.txt").write_bytes("".join(line + "\r\n" for line in lines).encode())
    return folder / "table.txt"


@pytest.mark.parametrize("header", [True, False])
def test_a_table_of_groups_is_read_as_numbers(tmp_path, header):
    found = read_matrix(groups(tmp_path, header))
    expected = pd.DataFrame(
        [[0, 0, 1, 28712, 0.99776, 0.00028], [0, 1, 2, 28399, 0.99381, 0.00047], [1, 2, np.nan, 577, np.nan, np.nan]],
        columns=NAMES,
    )
    pd.testing.assert_frame_equal(found, expected, check_dtype=False)
    assert found.attrs["formats"] == {"Sex": {"0": "Male and female", "1": "Male", "2": "Female"}}


def test_labels_stay_text(tmp_path):
    rows = ["Life\tMale\t1-<2 yr\t1,234\t0.9\t0.1", "Life\tFemale\t<1 yr\t12\t\t0.1"]
    found = read_matrix(groups(tmp_path, True, rows), dic=tmp_path / "table.dic")
    assert found["Sex"].tolist() == ["Male", "Female"]
    assert found["Alive at Start"].tolist() == [1234, 12]


def test_every_line_of_a_table_counts(tmp_path):
    with pytest.raises(InputError, match="SL-570"):
        read_matrix(groups(tmp_path, True, [*ROWS, "0\t0"]))


def test_a_listing_is_no_table(tmp_path):
    with pytest.raises(InputError, match=r"SL-569 .*read_export"):
        read_matrix(written(listing(20), tmp_path))
