"""What grpcurl does: lists the services of each port and describes each of them. Arguments: both gRPC addresses."""

import sys

import grpc
from checking import check, run, same
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

COMMON = [
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
]
INFERENCE = {
    "org.pytorch.serve.grpc.inference.InferenceAPIsService": [
        "Ping",
        "Predictions",
        "StreamPredictions",
        "StreamPredictions2",
    ],
    "org.pytorch.serve.grpc.openinference.GRPCInferenceService": [
        "ModelInfer",
        "ModelMetadata",
        "ModelReady",
        "ServerLive",
        "ServerMetadata",
        "ServerReady",
    ],
}
# KServe's and Triton's name of the same.
INFERENCE["inference.GRPCInferenceService"] = INFERENCE["org.pytorch.serve.grpc.openinference.GRPCInferenceService"]
MANAGEMENT = {
    "org.pytorch.serve.grpc.management.ManagementAPIsService": [
        "DescribeModel",
        "ListModels",
        "RegisterModel",
        "ScaleWorker",
        "SetDefault",
        "UnregisterModel",
    ]
}

for port, address, own in (
    ("inference", sys.argv[1], INFERENCE),
    ("management", sys.argv[2], MANAGEMENT),
):
    channel = grpc.insecure_channel(address)
    database = ProtoReflectionDescriptorDatabase(channel)
    pool = DescriptorPool(database)

    @check(f"the {port} port lists its services")
    def _(database=database, own=own):
        same(sorted(database.get_services()), sorted([*own, *COMMON]))

    for service, methods in own.items():

        @check(f"the {port} port describes {service}")
        def _(pool=pool, service=service, methods=methods):
            same(
                sorted(method.name for method in pool.FindServiceByName(service).methods),
                methods,
            )

    for service in COMMON:

        @check(f"the {port} port describes {service}")
        def _(pool=pool, service=service):
            same(len(pool.FindServiceByName(service).methods) > 0, True)


@check("a call is made from nothing but the description")
def _():
    channel = grpc.insecure_channel(sys.argv[1])
    pool = DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
    method = pool.FindServiceByName("org.pytorch.serve.grpc.inference.InferenceAPIsService").FindMethodByName(
        "Predictions"
    )
    question, answer = (
        GetMessageClass(method.input_type),
        GetMessageClass(method.output_type),
    )
    call = channel.unary_unary(
        f"/{method.containing_service.full_name}/{method.name}",
        request_serializer=question.SerializeToString,
        response_deserializer=answer.FromString,
    )
    same(
        call(question(model_name="double", input={"data": b"[1, 2, 3]"})).prediction,
        b"[2,4,6]",
    )


run()
