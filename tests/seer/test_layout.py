import pytest
from seer.exports import LENGTH, SAS, sas_bytes

from survlspin.errors import InputError
from survlspin.seer.layout import Place, read_layout


@pytest.fixture
def layout(tmp_path):
    def read(content, name="read.seer.research.nov2018.sas"):
        (tmp_path / name).write_bytes(content)
        return read_layout(tmp_path / name)

    return read


def test_places_are_counted_from_zero(layout):
    found = layout(sas_bytes())
    assert found.places[0] == Place("PUBCSNUM", 0, 8, "PUBCSNUM @ its place")
    assert [(place.name, place.start + 1, place.width) for place in found.places] == list(SAS)
    assert (found.length, found.end, found.submission) == (LENGTH, 100, "Nov 2018")


@pytest.mark.parametrize(
    "text",
    ["input @ 1 SEX $char1. /* Sex */", "INPUT @1 sex $CHAR1.;", "input\n@ 1\tsex\t1.\n;", "input @  1  SEX  $1.  ;"],
)
def test_every_way_to_place_a_field(layout, text):
    [place] = layout(text.encode()).places
    assert (place.name.upper(), place.start, place.width) == ("SEX", 0, 1)


def test_the_submission_is_named_or_not_known(layout):
    assert layout(sas_bytes(), "read.seer.research.nov2017.sas").submission == "Nov 2017"
    assert layout(sas_bytes(), "mine.sas").submission is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"data in; run;", "SL-571 .* places no field"),
        (sas_bytes(length=99), "SL-571 .* lines of 99 bytes, and its last field ends at byte 100"),
        (sas_bytes() + b"infile b lrecl=366;", "SL-571 .* lines of 104 and 366 bytes"),
        (sas_bytes(places=[("SEX", 0, 1)]), "SL-571 .* places SEX nowhere"),
        (sas_bytes(places=[("SEX", 1, 0)]), "SL-571 .* places SEX nowhere"),
        (sas_bytes(places=[("SEX", 1, 1), ("SEX", 3, 1)]), "SL-566 .* has SEX more than once"),
    ],
)
def test_a_faulty_sas_is_refused(layout, content, message):
    with pytest.raises(InputError, match=message):
        layout(content)
