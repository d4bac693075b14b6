"""Use of the host's processor, memory, disk and GPUs, as the kernel and the GPU driver report it."""

import logging
import shutil
import subprocess
import time

from ts.metrics.dimension import Dimension
from ts.metrics.metric import Metric

logger = logging.getLogger(__name__)

SAMPLE_SECONDS = 0.1
DRIVER_TIMEOUT_SECONDS = 10
MIB = 1024**2
GIB = 1024**3

system_metrics = []
dimension = [Dimension("Level", "Host")]


def _add(name: str, value, unit: str, dimensions: list = dimension) -> None:
    system_metrics.append(Metric(name, value, unit, dimensions))


def _processor_times() -> tuple:
    with open("/proc/stat", encoding="ascii") as file:
        ticks = [int(field) for field in file.readline().split()[1:9]]
    return sum(ticks), ticks[3] + ticks[4]


def cpu_utilization() -> None:
    """Adds the busy share of all processors over a tenth of a second."""
    total, idle = _processor_times()
    time.sleep(SAMPLE_SECONDS)
    later_total, later_idle = _processor_times()
    elapsed = later_total - total
    busy = elapsed - (later_idle - idle)
    _add("CPUUtilization", round(100.0 * busy / elapsed, 1) if elapsed > 0 else 0.0, "percent")


def _memory_bytes() -> dict:
    with open("/proc/meminfo", encoding="ascii") as file:
        return {name: int(value.split()[0]) * 1024 for name, value in (line.split(":") for line in file)}


def memory_used() -> None:
    """Adds the MB of memory that can't be had without swapping."""
    memory = _memory_bytes()
    _add("MemoryUsed", (memory["MemTotal"] - memory["MemAvailable"]) / MIB, "MB")


def memory_available() -> None:
    """Adds the MB of memory that can be had without swapping."""
    _add("MemoryAvailable", _memory_bytes()["MemAvailable"] / MIB, "MB")


def memory_utilization() -> None:
    """Adds the used share of the memory."""
    memory = _memory_bytes()
    used = memory["MemTotal"] - memory["MemAvailable"]
    _add("MemoryUtilization", round(100.0 * used / memory["MemTotal"], 1), "percent")


def disk_used() -> None:
    """Adds the used GB of the root file system."""
    _add("DiskUsage", shutil.disk_usage("/").used / GIB, "GB")


def disk_available() -> None:
    """Adds the free GB of the root file system."""
    _add("DiskAvailable", shutil.disk_usage("/").free / GIB, "GB")


def disk_utilization() -> None:
    """Adds the used share of the root file system, of what an ordinary user can have."""
    usage = shutil.disk_usage("/")
    _add("DiskUtilization", round(100.0 * usage.used / (usage.used + usage.free), 1), "percent")


def collect_gpu_metrics(num_of_gpus) -> None:
    """Adds memory and processor use of the first GPUs as the driver's tool reports them; logs when it can't."""
    if not num_of_gpus or num_of_gpus <= 0:
        return
    query = "--query-gpu=index,utilization.memory,memory.used,utilization.gpu"
    try:
        answer = subprocess.run(
            ["nvidia-smi", query, "--format=csv,noheader,nounits"],
            capture_output=True,
            check=True,
            text=True,
            timeout=DRIVER_TIMEOUT_SECONDS,
        )
    except (OSError, subprocess.SubprocessError) as error:
        logger.error("Could not collect GPU metrics: %s", error)
        return
    for line in answer.stdout.splitlines()[:num_of_gpus]:
        index, memory_share, memory_mb, share = (field.strip() for field in line.split(","))
        dimensions = [Dimension("Level", "Host"), Dimension("device_id", index)]
        _add("GPUMemoryUtilization", memory_share, "percent", dimensions)
        _add("GPUMemoryUsed", memory_mb, "MB", dimensions)
        _add("GPUUtilization", share, "percent", dimensions)


def collect_all(mod, num_of_gpus) -> None:
    """Runs the collectors of module `mod`, prints a line per metric and an empty line."""
    mod.collect_gpu_metrics(num_of_gpus)
    for collect in (
        mod.cpu_utilization,
        mod.disk_available,
        mod.disk_used,
        mod.disk_utilization,
        mod.memory_available,
        mod.memory_used,
        mod.memory_utilization,
    ):
        try:
            collect()
        except OSError as error:
            logger.error("Could not collect %s: %s", collect.__name__, error)
    for metric in system_metrics:
        logger.info("%s", metric)
    logger.info("")
