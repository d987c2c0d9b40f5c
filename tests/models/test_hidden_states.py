from pathlib import Path
from typing import Any

import pytest
import torch

from emotone.models.encoders import EncoderError, find, load
from emotone.models.hidden_states import HiddenStates
from tests.helpers import voice
from tests.models.encoders import ENCODERS, save_encoder

transformers: Any = pytest.importorskip("transformers")


def states(encoder: HiddenStates, *clips: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    padded = torch.nn.utils.rnn.pad_sequence(list(clips), batch_first=True)
    with torch.no_grad():
        found: tuple[torch.Tensor, torch.Tensor] = encoder(padded, torch.tensor([*map(len, clips)]))
    return found


@pytest.mark.parametrize("name", ENCODERS)
def test_states_are_those_of_transformers_and_do_not_depend_on_padding(
    name: str, tmp_path: Path
) -> None:
    folder = save_encoder(name, tmp_path)
    encoder = find(str(folder))
    ours = HiddenStates(encoder, encoder.layers)
    short, long = (torch.from_numpy(voice(n, s)) for n, s in ((1, 0.42), (2, 0.9)))
    alone, frames = states(ours, short)
    together, _ = states(ours, long, short)
    count = int(frames[0])
    torch.testing.assert_close(together[1, :, :count], alone[0, :, :count], atol=1e-4, rtol=1e-4)
    assert not together[1, :, count:].any()

    extractor = transformers.AutoFeatureExtractor.from_pretrained(folder)
    given: Any = extractor(short.numpy(), sampling_rate=16_000, return_tensors="pt")
    theirs: Any = transformers.AutoModel.from_pretrained(folder).eval()
    theirs = theirs.get_encoder() if encoder.is_whisper else theirs
    with torch.no_grad():
        wanted = theirs(next(iter(given.values())), output_hidden_states=True)
    # the last of their hidden states is before the last normalisation, which ours is after
    for number, state in enumerate([*wanted.hidden_states[:-1], wanted.last_hidden_state]):
        torch.testing.assert_close(alone[0, number, :count], state[0, :count], atol=1e-4, rtol=1e-4)
    assert alone.std() > 0.1


def test_a_clip_of_one_sample_has_a_frame(tmp_path: Path) -> None:
    encoder = find(str(save_encoder("wav2vec2", tmp_path)))
    found, frames = states(HiddenStates(encoder, 1), torch.ones(1))
    assert frames.tolist() == [1]
    assert found[:, :, :1].isfinite().all()


def test_whisper_reads_what_is_longer_than_a_piece_in_pieces(tmp_path: Path) -> None:
    encoder = find(str(save_encoder("whisper", tmp_path)))
    whisper = HiddenStates(encoder, 2)  # pieces of 1 s
    clip = torch.from_numpy(voice(3, 2.5))
    whole, frames = states(whisper, clip)
    assert frames.tolist() == [125]
    last, _ = states(whisper, clip[32_000:])
    torch.testing.assert_close(whole[0, :, 100:125], last[0, :, :25], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gone", "'gone' is neither a folder nor an id such as microsoft/wavlm-large"),
        ("nobody/has-this", r"nobody/has-this is not on this machine.*get it: python -c"),
    ],
)
def test_what_is_not_here_is_said_in_one_line(
    name: str, message: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(EncoderError, match=message) as error:
        find(name)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("config.json", '"wav2vec2"', '"bert"', "is of the kind 'bert'; give an encoder of the"),
        ("config.json", "{", "", "config.json is not JSON"),
        ("config.json", '"hidden_size"', '"other"', "has no sizes of a wav2vec2 encoder"),
        ("preprocessor_config.json", "16000", "8000", "takes audio at 8000 Hz, but emotone reads"),
        ("preprocessor_config.json", None, None, "folder: it has no preprocessor_config.json"),
        ("config.json", None, None, "is not an encoder's folder: it has no config.json"),
        ("model.safetensors", None, None, "has no model.safetensors; get it"),
    ],
)
def test_unusable_encoders_are_refused(
    file: str, old: str | None, new: str | None, message: str, tmp_path: Path
) -> None:
    folder = save_encoder("wav2vec2", tmp_path)
    path = folder / file
    if old is None or new is None:
        path.unlink()
    else:
        path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(EncoderError, match=message) as error:
        find(str(folder))
    assert "\n" not in str(error.value)


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    folder = save_encoder("hubert", tmp_path)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(EncoderError, match="has pickled weights, which are not loaded; get it"):
        find(str(folder))


def test_missing_and_damaged_weights_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = save_encoder("wavlm", tmp_path)
    path = folder / "model.safetensors"
    weights = load_file(path)
    del weights["encoder.layers.1.attention.k_proj.weight"]
    save_file(weights, path, metadata={"format": "pt"})
    with pytest.raises(
        EncoderError, match=r"no weights encoder\.layers\.1\.attention\.k_proj\.weight"
    ):
        load(find(str(folder)))
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(EncoderError, match="cannot be loaded"):
        load(find(str(folder)))
