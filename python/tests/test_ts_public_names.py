"""What archives import of this package is there, under TorchServe's names.

The modules over DALI, DeepSpeed, vLLM and TensorRT-LLM have tests of their own, with stand-ins of these packages.
"""

import importlib
import importlib.util

import pytest

from ts.model_loader import import_handler

# {module: (packages that it needs, its names)}
NAMES = {
    "ts": ("", "__version__"),
    "ts.arg_parser": ("", "ArgParser"),
    "ts.async_service": ("", "AsyncService"),
    "ts.context": ("", "Context RequestProcessor"),
    "ts.handler_utils.distributed.pt_pippy": (
        "torch",
        "initialize_rpc_workers get_pipeline_driver get_pipline_driver",
    ),
    "ts.handler_utils.hf_batch_streamer": ("transformers", "TextIteratorStreamerBatch"),
    "ts.handler_utils.micro_batching": ("", "MicroBatching"),
    "ts.handler_utils.text_utils": ("", "ngrams_iterator get_tokenizer"),
    "ts.handler_utils.timer": ("", "timed"),
    "ts.handler_utils.utils": ("", "import_class send_intermediate_predict_response create_predict_response"),
    "ts.launcher": ("", "start stop register_model register_model_with_params"),
    "ts.llm_launcher": ("", "main get_model_config create_mar_file create_tensorrt_llm_engine"),
    "ts.metrics": ("", "dimension metric metric_encoder metrics_store system_metrics unit"),
    "ts.metrics.caching_metric": ("", "CachingMetric"),
    "ts.metrics.dimension": ("", "Dimension"),
    "ts.metrics.metric": ("", "Metric"),
    "ts.metrics.metric_abstract": ("", "MetricAbstract"),
    "ts.metrics.metric_cache_abstract": ("", "MetricCacheAbstract"),
    "ts.metrics.metric_cache_errors": (
        "",
        "MetricsCacheKeyError MetricsCacheValueError MetricsCacheTypeError MetricsCacheIOError MetricsCachePyYamlError",
    ),
    "ts.metrics.metric_cache_yaml_impl": ("", "MetricsCacheYamlImpl"),
    "ts.metrics.metric_encoder": ("", "MetricEncoder"),
    "ts.metrics.metric_type_enum": ("", "MetricTypes"),
    "ts.metrics.metrics_store": ("", "MetricsStore"),
    "ts.metrics.process_memory_metric": ("", "check_process_mem_usage get_cpu_usage"),
    "ts.metrics.system_metrics": ("", "collect_all collect_gpu_metrics cpu_utilization memory_used disk_used"),
    "ts.metrics.unit": ("", "Units"),
    "ts.model_loader": ("", "ModelLoaderFactory ModelLoader TsModelLoader"),
    "ts.model_server": ("", "start"),
    "ts.model_service.model_service": ("", "ModelService SingleNodeService"),
    "ts.protocol.otf_message_handler": ("", "send_intermediate_predict_response create_predict_response"),
    "ts.service": ("", "Service emit_metrics PREDICTION_METRIC PredictionException"),
    "ts.torch_handler.base_handler": (
        "torch",
        "BaseHandler setup_ort_session PROFILER_AVAILABLE XLA_AVAILABLE PT2_AVAILABLE PT230_AVAILABLE "
        "IPEX_AVAILABLE ONNX_AVAILABLE logger",
    ),
    "ts.torch_handler.contractions": ("", "CONTRACTION_MAP"),
    "ts.torch_handler.densenet_handler": ("torch", "DenseNetHandler"),
    "ts.torch_handler.distributed.base_deepspeed_handler": ("torch", "BaseDeepSpeedHandler"),
    "ts.torch_handler.distributed.base_pippy_handler": ("torch", "BasePippyHandler"),
    "ts.torch_handler.image_classifier": ("torchvision", "ImageClassifier"),
    "ts.torch_handler.image_segmenter": ("torchvision", "ImageSegmenter"),
    "ts.torch_handler.object_detector": ("torchvision", "ObjectDetector"),
    "ts.torch_handler.request_envelope.base": ("", "BaseEnvelope"),
    "ts.torch_handler.request_envelope.body": ("", "BodyEnvelope"),
    "ts.torch_handler.request_envelope.json": ("", "JSONEnvelope"),
    "ts.torch_handler.request_envelope.kserve": ("", "KServeEnvelope"),
    "ts.torch_handler.request_envelope.kservev2": ("", "KServev2Envelope"),
    "ts.torch_handler.text_classifier": ("torch", "TextClassifier"),
    "ts.torch_handler.text_handler": ("torch", "TextHandler"),
    "ts.torch_handler.unit_tests.test_utils.mock_context": ("", "MockContext"),
    "ts.torch_handler.unit_tests.test_utils.model_dir": ("", "download_model copy_files"),
    "ts.torch_handler.vision_handler": ("torch PIL", "VisionHandler"),
    "ts.utils.hf_utils": ("huggingface_hub", "download_model"),
    "ts.utils.setup_model_venv": ("", "create_venv inherit_site_packages"),
    "ts.utils.timeit_decorator": ("", "timeit"),
    "ts.utils.util": (
        "",
        "PredictionException PT2Backend CLEANUP_REGEX load_label_mapping map_class_to_label get_yaml_config "
        "list_classes_from_module check_valid_pt2_backend deprecated",
    ),
    "ts.version": ("", "__version__"),
}


@pytest.mark.parametrize("module", NAMES)
def test_the_names_of_a_module_are_there(module):
    needed, names = NAMES[module]
    for package in needed.split():
        pytest.importorskip(package)

    imported = importlib.import_module(module)

    assert [name for name in names.split() if not hasattr(imported, name)] == []


@pytest.mark.parametrize(
    ("name", "needed"),
    [
        ("image_classifier", "torchvision"),
        ("image_segmenter", "torchvision"),
        ("object_detector", "torchvision"),
        ("text_classifier", "torch"),
        ("base_handler", "torch"),
        ("densenet_handler", "torch"),
        ("vision_handler", "torch"),
        ("text_handler", "torch"),
    ],
)
def test_a_built_in_handler_is_found_by_its_name(name, needed):
    pytest.importorskip(needed)

    module, function = import_handler(name)

    assert (module.__name__, function) == (f"ts.torch_handler.{name}", None)


@pytest.mark.parametrize(
    ("name", "missing"),
    [("dali_image_classifier", "nvidia"), ("vllm_handler", "vllm"), ("trt_llm_handler", "tensorrt_llm")],
)
def test_a_built_in_handler_names_the_package_that_it_lacks(name, missing):
    if importlib.util.find_spec(missing) is not None:
        pytest.skip(f"{missing} is installed")

    with pytest.raises(ModuleNotFoundError, match=f"^No module named '{missing}"):
        import_handler(name)
