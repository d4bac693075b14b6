"""Streams the texts of a batch that a Hugging Face model generates. Needs the package transformers."""

from typing import Optional

from transformers.generation.streamers import BaseStreamer, TextIteratorStreamer


class TextIteratorStreamerBatch(BaseStreamer):
    """Given to `generate` as its `streamer`; iterating, usually in another thread, gives a list per step with
    `{"text": new text}` for each sequence of the batch.
    """

    def __init__(
        self,
        tokenizer,
        batch_size: int,
        skip_prompt: bool = False,
        timeout: Optional[float] = None,
        **decode_kwargs,
    ):
        """`timeout` is in seconds per step: later ones raise queue.Empty. `decode_kwargs` go to the tokenizer."""
        self.batch_size = batch_size
        self.streamers = [
            TextIteratorStreamer(tokenizer, skip_prompt, timeout, **decode_kwargs) for _ in range(batch_size)
        ]
        self.streamer_iterators = [iter(streamer) for streamer in self.streamers]

    def put(self, value) -> None:
        """Takes the prompts' tokens, then the next token of each sequence; ValueError for another number of them."""
        if value.shape[0] != self.batch_size:
            raise ValueError(f"The batch has {self.batch_size} sequences, not the {value.shape[0]} of {value.shape}")
        for index, streamer in enumerate(self.streamers):
            streamer.put(value[index : index + 1])

    def end(self) -> None:
        """Says that all sequences are whole."""
        for streamer in self.streamers:
            streamer.end()

    def __iter__(self):
        return self

    def __next__(self) -> list:
        texts = [next(iterator, None) for iterator in self.streamer_iterators]
        if all(text is None for text in texts):
            raise StopIteration
        return [{"text": text or ""} for text in texts]
