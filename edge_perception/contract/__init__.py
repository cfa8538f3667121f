# Copyright 2026 The edge_perception authors
# SPDX-License-Identifier: Apache-2.0
"""Everything that the author of a plugin imports; what is not listed here may change any day."""

from __future__ import annotations

from edge_perception.contract.boxes import center_size_to_xyxy
from edge_perception.contract.boxes import iou
from edge_perception.contract.boxes import select
from edge_perception.contract.boxes import suppress
from edge_perception.contract.builder import Builder
from edge_perception.contract.builder import BuildPlan
from edge_perception.contract.builder import BuildReport
from edge_perception.contract.converter import run_converter
from edge_perception.contract.decoder import Decoder
from edge_perception.contract.decoder import TASKS
from edge_perception.contract.engine import Capabilities
from edge_perception.contract.engine import Engine
from edge_perception.contract.engine import EngineType
from edge_perception.contract.errors import ArtifactError
from edge_perception.contract.errors import BuildError
from edge_perception.contract.errors import CombinedError
from edge_perception.contract.errors import ConfigurationError
from edge_perception.contract.errors import DecodeError
from edge_perception.contract.errors import DecoderError
from edge_perception.contract.errors import DecoderMismatchError
from edge_perception.contract.errors import EdgePerceptionError
from edge_perception.contract.errors import EngineError
from edge_perception.contract.errors import EngineStateError
from edge_perception.contract.errors import EngineUnavailableError
from edge_perception.contract.errors import ImageError
from edge_perception.contract.errors import in_words
from edge_perception.contract.errors import InferenceError
from edge_perception.contract.errors import IntrinsicsError
from edge_perception.contract.errors import ManifestError
from edge_perception.contract.errors import ModelNotFoundError
from edge_perception.contract.errors import NotFiniteError
from edge_perception.contract.errors import OptionError
from edge_perception.contract.errors import PluginError
from edge_perception.contract.errors import RestartingError
from edge_perception.contract.errors import TensorMismatchError
from edge_perception.contract.guessing import FileFacts
from edge_perception.contract.guessing import Guess
from edge_perception.contract.guessing import UNANSWERED
from edge_perception.contract.hookspecs import CONTRACT_VERSION
from edge_perception.contract.hookspecs import ENTRY_POINT_GROUP
from edge_perception.contract.hookspecs import hookimpl
from edge_perception.contract.hookspecs import HostInfo
from edge_perception.contract.loading.artifact_files import check_whole
from edge_perception.contract.loading.artifact_files import FOLDER
from edge_perception.contract.loading.artifact_files import open_regular
from edge_perception.contract.loading.artifact_files import read_artifact
from edge_perception.contract.loading.artifact_files import read_regular
from edge_perception.contract.loading.load_trial import LoadOutcome
from edge_perception.contract.loading.load_trial import LoadTrial
from edge_perception.contract.loading.load_trial import try_load
from edge_perception.contract.loading.vendor_library import explained
from edge_perception.contract.loading.vendor_library import vendor_import
from edge_perception.contract.manifest import check_input
from edge_perception.contract.manifest import check_inputs
from edge_perception.contract.manifest import check_only_input
from edge_perception.contract.manifest import InputRecipe
from edge_perception.contract.manifest import MANIFEST_NAME
from edge_perception.contract.manifest import MANIFEST_VERSION
from edge_perception.contract.manifest import ModelManifest
from edge_perception.contract.manifest import PoseRecipe
from edge_perception.contract.manifest_file import dump_manifest
from edge_perception.contract.manifest_file import load_manifest
from edge_perception.contract.manifest_file import parse_manifest
from edge_perception.contract.object_poses import Boxes3D
from edge_perception.contract.object_poses import ObjectPose
from edge_perception.contract.options import option
from edge_perception.contract.options import option_specs
from edge_perception.contract.options import Options
from edge_perception.contract.options import OptionSpec
from edge_perception.contract.options import parse_options
from edge_perception.contract.stage import Calibration
from edge_perception.contract.stage import FrameTransform
from edge_perception.contract.stage import OUTPUT_KINDS
from edge_perception.contract.stage import Reads
from edge_perception.contract.stage import SideImage
from edge_perception.contract.stage import Stage
from edge_perception.contract.stage import STAGE_TASKS
from edge_perception.contract.stage import StageInputs
from edge_perception.contract.types import Availability
from edge_perception.contract.types import Classes
from edge_perception.contract.types import Detections
from edge_perception.contract.types import Frame
from edge_perception.contract.types import FRAME_ENCODINGS
from edge_perception.contract.types import ImageTransform
from edge_perception.contract.types import Keypoints
from edge_perception.contract.types import LabelMap
from edge_perception.contract.types import ModelDescription
from edge_perception.contract.types import Perception
from edge_perception.contract.types import Quantization
from edge_perception.contract.types import Selection
from edge_perception.contract.types import Tensor
from edge_perception.contract.types import Tensors
from edge_perception.contract.types import TensorSpec

__all__ = [
    'ArtifactError',
    'Availability',
    'Boxes3D',
    'BuildError',
    'BuildPlan',
    'BuildReport',
    'Builder',
    'CONTRACT_VERSION',
    'Calibration',
    'Capabilities',
    'Classes',
    'CombinedError',
    'ConfigurationError',
    'DecodeError',
    'Decoder',
    'DecoderError',
    'DecoderMismatchError',
    'Detections',
    'ENTRY_POINT_GROUP',
    'EdgePerceptionError',
    'Engine',
    'EngineError',
    'EngineStateError',
    'EngineType',
    'EngineUnavailableError',
    'FOLDER',
    'FRAME_ENCODINGS',
    'FileFacts',
    'Frame',
    'FrameTransform',
    'Guess',
    'HostInfo',
    'ImageError',
    'ImageTransform',
    'InferenceError',
    'InputRecipe',
    'IntrinsicsError',
    'Keypoints',
    'LabelMap',
    'LoadOutcome',
    'LoadTrial',
    'MANIFEST_NAME',
    'MANIFEST_VERSION',
    'ManifestError',
    'ModelDescription',
    'ModelManifest',
    'ModelNotFoundError',
    'NotFiniteError',
    'OUTPUT_KINDS',
    'ObjectPose',
    'OptionError',
    'OptionSpec',
    'Options',
    'Perception',
    'PluginError',
    'PoseRecipe',
    'Quantization',
    'Reads',
    'RestartingError',
    'STAGE_TASKS',
    'Selection',
    'SideImage',
    'Stage',
    'StageInputs',
    'TASKS',
    'Tensor',
    'TensorMismatchError',
    'TensorSpec',
    'Tensors',
    'UNANSWERED',
    'center_size_to_xyxy',
    'check_input',
    'check_inputs',
    'check_only_input',
    'check_whole',
    'dump_manifest',
    'explained',
    'hookimpl',
    'in_words',
    'iou',
    'load_manifest',
    'open_regular',
    'option',
    'option_specs',
    'parse_manifest',
    'parse_options',
    'read_artifact',
    'read_regular',
    'run_converter',
    'select',
    'suppress',
    'try_load',
    'vendor_import',
]
