"""The filter of system calls, run by an interpreter of its instructions: for every kind of machine on any machine."""

import errno
import struct

import pytest

from sconce_worker.seccomp import Calls, program
from sconce_worker.syscall_numbers import AUDIT_ARCHES, number_of

ALLOW, KILL = 0x7FFF0000, 0x80000000
REFUSED, UNKNOWN = 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
READ = {"x86_64": 0, "aarch64": 63}


def verdict(instructions, machine, number, *arguments):
    data = struct.pack("=IIQ6Q", number, AUDIT_ARCHES.get(machine, 0), 0, *arguments, *[0] * (6 - len(arguments)))
    at, kept = 0, 0
    while True:
        code, if_true, if_false, value = struct.unpack_from("=HBBI", instructions, at * 8)
        at += 1
        if code == 0x20:
            kept = struct.unpack_from("=I", data, value)[0]
        elif code == 0x54:
            kept &= value
        elif code == 0x06:
            return value
        else:
            holds = {0x15: kept == value, 0x25: kept > value, 0x45: bool(kept & value)}[code]
            at += if_true if holds else if_false


@pytest.fixture(params=sorted(AUDIT_ARCHES))
def machine(request):
    return request.param


def test_what_inference_needs_is_allowed_and_the_rest_is_refused(machine):
    usual = program(Calls(), machine)
    assert verdict(usual, machine, READ[machine]) == ALLOW
    for name in ("ptrace", "mount", "bpf", "setresuid", "shmget", "io_uring_setup", "execve", "open_by_handle_at"):
        assert verdict(usual, machine, number_of(name, machine)) == REFUSED, name


def test_another_architecture_ends_the_process(machine):
    assert verdict(program(Calls(), machine), "another", READ[machine]) == KILL


def test_the_numbers_of_x32_end_the_process():
    assert verdict(program(Calls(), "x86_64"), "x86_64", 0x40000000 | 39) == KILL


def test_calls_that_are_newer_than_the_filter_are_not_there(machine):
    usual = program(Calls(), machine)
    assert verdict(usual, machine, 470) == UNKNOWN
    assert verdict(usual, machine, number_of("clone3", machine)) == UNKNOWN


def test_processes_and_threads_may_be_started_but_no_namespaces(machine):
    usual, clone = program(Calls(), machine), number_of("clone", machine)
    assert verdict(usual, machine, clone, 0x003D0F00) == ALLOW
    for flag in (0x00020000, 0x10000000, 0x20000000, 0x40000000):
        assert verdict(usual, machine, clone, flag | 17) == REFUSED


def test_sockets_are_of_the_families_that_are_granted(machine):
    number = number_of("socket", machine)
    alone, granted = program(Calls(), machine), program(Calls(network=True), machine)
    assert [verdict(alone, machine, number, family) for family in (1, 2, 10, 16, 17, 40)] == [ALLOW] + [REFUSED] * 5
    expected = [ALLOW] * 4 + [REFUSED] * 2
    assert [verdict(granted, machine, number, family) for family in (1, 2, 10, 16, 17, 40)] == expected


def test_fifos_may_be_made_and_devices_not(machine):
    usual, number = program(Calls(), machine), number_of("mknodat", machine)
    modes = (0o010644, 0o100644, 0o020644, 0o060644)
    assert [verdict(usual, machine, number, 0, 0, mode) for mode in modes] == [ALLOW, ALLOW, REFUSED, REFUSED]


def test_nothing_is_typed_into_a_terminal(machine):
    usual, number = program(Calls(), machine), number_of("ioctl", machine)
    assert [verdict(usual, machine, number, 0, request) for request in (0x5401, 0x5412, 0x541C)] == [
        ALLOW,
        REFUSED,
        REFUSED,
    ]


def test_programs_are_run_where_that_is_granted_and_one_where_a_descriptor_is(machine):
    execve, execveat = number_of("execve", machine), number_of("execveat", machine)
    granted, one = program(Calls(exec=True), machine), program(Calls(program=900), machine)
    assert verdict(granted, machine, execve) == verdict(granted, machine, execveat) == ALLOW
    assert [verdict(one, machine, execveat, descriptor) for descriptor in (900, 899, 0xFFFFFF9C)] == [
        ALLOW,
        REFUSED,
        REFUSED,
    ]
    assert verdict(one, machine, execve) == REFUSED


def test_a_machine_that_is_not_known_has_no_filter():
    assert program(Calls(), "riscv64") == b""
