"""The batch streamer with a small GPT-2 of random weights and a tokenizer of the transformers package."""

import queue
import threading

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
tokenizers = pytest.importorskip("tokenizers")

from ts.handler_utils.hf_batch_streamer import TextIteratorStreamerBatch  # noqa: E402

WORDS = ["<end>", "tea", "milk", "sugar", "water", "lemon"]


@pytest.fixture(scope="module")
def tokenizer():
    model = tokenizers.models.WordLevel({word: index for index, word in enumerate(WORDS)}, unk_token="<end>")
    words = tokenizers.Tokenizer(model)
    words.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    return transformers.PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<end>", eos_token="<end>")


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(1)
    size = {"vocab_size": len(WORDS), "n_positions": 32, "n_embd": 8, "n_layer": 1, "n_head": 2}
    # No end token: each sequence has the length that is asked for.
    config = transformers.GPT2Config(**size, bos_token_id=0, eos_token_id=None, pad_token_id=0)
    return transformers.GPT2LMHeadModel(config).eval()


def generated(model, tokenizer, prompts: list, streamer) -> list:
    inputs = tokenizer(prompts, return_tensors="pt")
    thread = threading.Thread(
        target=model.generate,
        kwargs={
            "input_ids": inputs["input_ids"],
            "attention_mask": inputs["attention_mask"],
            "streamer": streamer,
            "max_new_tokens": 6,
            "do_sample": False,
        },
    )
    thread.start()
    steps = list(streamer)
    thread.join()
    return steps


def test_each_step_has_the_new_text_of_every_sequence(model, tokenizer):
    prompts = ["tea milk", "water lemon", "sugar tea"]
    streamer = TextIteratorStreamerBatch(tokenizer, 3, skip_prompt=True, timeout=60, skip_special_tokens=True)

    steps = generated(model, tokenizer, prompts, streamer)

    whole = model.generate(**tokenizer(prompts, return_tensors="pt"), max_new_tokens=6, do_sample=False)
    expected = [tokenizer.decode(row[2:], skip_special_tokens=True) for row in whole]
    assert all([set(text) for text in step] == [{"text"}] * 3 for step in steps)
    assert len(steps) > 1
    assert ["".join(step[index]["text"] for step in steps).strip() for index in range(3)] == expected


def test_the_prompt_is_part_of_the_text_unless_skipped(model, tokenizer):
    streamer = TextIteratorStreamerBatch(tokenizer, 1, timeout=60)

    steps = generated(model, tokenizer, ["tea milk"], streamer)

    assert "".join(step[0]["text"] for step in steps).startswith("tea milk")


def test_another_number_of_sequences_is_refused(tokenizer):
    streamer = TextIteratorStreamerBatch(tokenizer, 2)

    with pytest.raises(ValueError, match="The batch has 2 sequences, not the 3"):
        streamer.put(torch.zeros((3, 4), dtype=torch.long))


def test_a_model_that_is_too_slow_ends_the_stream(tokenizer):
    streamer = TextIteratorStreamerBatch(tokenizer, 1, timeout=0.01)

    with pytest.raises(queue.Empty):
        next(streamer)
