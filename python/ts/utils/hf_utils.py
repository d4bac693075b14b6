"""Models from the Hugging Face hub. Needs the package huggingface_hub."""

from huggingface_hub import snapshot_download

CHECKPOINT_FILES = ["*.json", "*.pt", "*.bin", "*.txt", "*.model", "*.pth", "*.safetensors", "original/*"]


def download_model(
    model_id="meta-llama/Meta-Llama-3.1-8B-Instruct",
    revision="main",
    model_path=".cache",
    use_auth_token=True,
) -> str:
    """Downloads a model's weights, tokenizer and configuration into the cache folder `model_path`; gives their folder.

    `use_auth_token` is a token, True for the one that the user has logged in with, or False for none.
    """
    return snapshot_download(
        repo_id=model_id,
        revision=revision,
        allow_patterns=CHECKPOINT_FILES,
        cache_dir=model_path,
        token=use_auth_token,
    )
