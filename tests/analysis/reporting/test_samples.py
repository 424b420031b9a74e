"""Images of samples within a page, without a file beside it."""

import base64

from mutransfer.analysis.reporting.samples import SamplePair


def test_the_url_of_an_image_holds_the_image_itself() -> None:
    everything = bytes(range(256)) * 3
    pair = SamplePair(text="class 3", real_png=everything, drawn_png=b"\x89PNG drawn")
    contents = []
    for url in (pair.real_url, pair.drawn_url):
        start, text = url.split(",")
        assert start == "data:image/png;base64"
        assert set(text).isdisjoint("\n\"'<>& ")  # it stands in an attribute
        contents.append(base64.b64decode(text, validate=True))
    assert contents == [pair.real_png, pair.drawn_png]
