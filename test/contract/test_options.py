# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

from dataclasses import dataclass
import math

from hypothesis import given
from hypothesis import strategies as st
import pytest

from edge_perception.contract import option
from edge_perception.contract import option_specs
from edge_perception.contract import OptionError
from edge_perception.contract import Options
from edge_perception.contract import OptionSpec
from edge_perception.contract import parse_options
from test.support.raising import raises


@dataclass(frozen=True, slots=True)
class Knobs(Options):
    threads: int = option(0, 'threads; 0 for all cores', minimum=0, maximum=1 << 20)
    ratio: float = option(0.5, 'a share', minimum=0.0, maximum=1.0)
    offset: float = option(0.0, 'any number')
    precision: str = option('fp32', 'of the numbers', choices=('fp32', 'fp16'))
    spinning: bool = option(False, 'threads wait busily')
    providers: tuple[str, ...] = option((), 'in this order')


def parse(**values: object) -> Options:
    return parse_options(Knobs, values, owner="engine 'knobs'")


def problem(**values: object) -> str:
    with pytest.raises(OptionError) as raised:
        parse(**values)
    return str(raised.value)


def test_nothing_given_is_the_defaults():
    assert parse() == Knobs()


def test_values_arrive_in_the_type_of_the_option():
    knobs = parse(threads=4, ratio=1, precision='fp16', spinning=True, providers=['cpu', 'gpu'])
    assert knobs == Knobs(
        threads=4, ratio=1.0, precision='fp16', spinning=True, providers=('cpu', 'gpu')
    )
    assert isinstance(knobs.ratio, float)


def test_specs_keep_the_order_of_the_declaration():
    specs = option_specs(Knobs)
    assert [spec.name for spec in specs] == [
        'threads',
        'ratio',
        'offset',
        'precision',
        'spinning',
        'providers',
    ]
    assert [spec.kind for spec in specs] == [int, float, float, str, bool, tuple]
    assert specs[0].description == 'threads; 0 for all cores'


@pytest.mark.parametrize(
    ('values', 'sentence'),
    [
        (
            {'threads': -1},
            'threads: got -1, expected an integer from 0 to 1048576',
        ),
        (
            {'threads': True},
            'threads: got True, expected an integer from 0 to 1048576',
        ),
        (
            {'threads': 2.0},
            'threads: got 2.0, expected an integer from 0 to 1048576',
        ),
        ({'ratio': 1.5}, 'ratio: got 1.5, expected a float from 0 to 1'),
        ({'ratio': True}, 'ratio: got True, expected a float from 0 to 1'),
        ({'ratio': '1'}, "ratio: got '1', expected a float from 0 to 1"),
        ({'ratio': math.nan}, 'ratio: got nan, expected a float from 0 to 1'),
        ({'offset': math.nan}, 'offset: got nan, expected a float'),
        ({'offset': math.inf}, 'offset: got inf, expected a float'),
        ({'precision': 'int8'}, "precision: got 'int8', expected one of fp32, fp16"),
        ({'precision': None}, 'precision: got nothing, expected one of fp32, fp16'),
        ({'spinning': 1}, 'spinning: got 1, expected true or false'),
        ({'spinning': 'yes'}, "spinning: got 'yes', expected true or false"),
        ({'providers': 'cpu'}, "providers: got 'cpu', expected a list of strings"),
        ({'providers': [1]}, 'providers: got (1,), expected a list of strings'),
    ],
)
def test_a_value_that_does_not_fit_is_named_with_what_was_expected(values, sentence):
    assert problem(**values) == f"engine 'knobs': {sentence}"


def test_a_whole_number_too_large_for_a_float_is_refused():
    assert problem(offset=10**400).startswith("engine 'knobs': offset: got 1000")


def test_an_unknown_option_gets_the_nearest_name():
    assert problem(thread=1) == ("engine 'knobs': thread: unknown option, did you mean 'threads'?")


def test_an_unknown_option_that_resembles_none_gets_all_names():
    assert problem(xyz=1) == (
        "engine 'knobs': xyz: unknown option, expected one of "
        'threads, ratio, offset, precision, spinning, providers'
    )


def test_an_owner_without_options_says_so():
    with raises(OptionError, "decoder 'x': a: ", 'none'):
        parse_options(Options, {'a': 1}, owner="decoder 'x'")


def test_a_name_that_is_no_text_is_unknown():
    # Options of a decoder come from YAML, where a key may be a number.
    with raises(OptionError, "decoder 'x': 1: "):
        parse_options(Knobs, {1: 2}, owner="decoder 'x'")


def test_all_wrong_values_are_said_at_once():
    sentence = problem(threads=-1, thread=1, ratio=2)
    assert [part.split(':')[0] for part in sentence.split('; ')] == [
        "engine 'knobs'",
        'thread',
        'ratio',
    ]


def test_a_choice_of_numbers_compares_type_as_well():
    spec = OptionSpec(name='level', default=0, description='', choices=(0, 1))
    assert spec.check(1) == 1
    with raises(OptionError, 'level: ', 'True', '0, 1'):
        spec.check(True)


@given(
    st.sampled_from(option_specs(Knobs)),
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text()),
)
def test_what_is_accepted_has_the_type_and_lies_within_the_bounds(spec, value):
    try:
        checked = spec.check(value)
    except OptionError as error:
        assert str(error).startswith(f'{spec.name}: got ')
        return
    assert type(checked) is spec.kind
    assert spec.minimum is None or checked >= spec.minimum
    assert spec.maximum is None or checked <= spec.maximum


@dataclass(frozen=True, slots=True)
class Lists(Options):
    mean: tuple[float, ...] = option((0.5, 0.5), 'of each channel', minimum=0.0, maximum=1.0)
    cores: tuple[int, ...] = option((0,), 'to run on', minimum=0)


def test_a_list_of_numbers_has_the_type_and_bounds_of_its_items():
    lists = parse_options(Lists, {'mean': [0, 0.25, 1], 'cores': [2, 3]}, owner='lists')
    assert lists == Lists(mean=(0.0, 0.25, 1.0), cores=(2, 3))
    assert all(isinstance(each, float) for each in lists.mean)


@pytest.mark.parametrize(
    ('name', 'value', 'expected'),
    [
        ('mean', [0.5, 2.0], 'a list of floats from 0 to 1'),
        ('mean', ['0.5'], 'a list of floats from 0 to 1'),
        ('mean', [math.nan], 'a list of floats'),
        ('mean', 0.5, 'a list of floats'),
        ('cores', [0.5], 'a list of integers of at least 0'),
        ('cores', [True], 'a list of integers'),
    ],
)
def test_other_lists_are_refused(name, value, expected):
    with pytest.raises(OptionError) as raised:
        parse_options(Lists, {name: value}, owner='lists')
    assert f'expected {expected}' in str(raised.value)
