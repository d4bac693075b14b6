import { type ArgumentRule, classThen, listed, oneOf, plain, REBUILT_BY_FUNCTION, RECONSTRUCTED, twoClassesThen, UNPICKLED_BYTES } from './argument-rules.js';
import { LAYERS, SCIKIT_CALLED, SCIKIT_HELD, SCIKIT_MADE } from './listed-names.js';

/** What a pickle may do with a name. Nothing set: hold it as a value. */
export interface AllowedName {
  /** By REDUCE, OBJ or INST. */
  readonly call?: ArgumentRule;
  /** By NEWOBJ: the class's own `__new__`. */
  readonly make?: ArgumentRule;
  /** Its instances may be given a state by BUILD. */
  readonly takesState?: boolean;
  /** A class that the archive itself defines. */
  readonly isOwn?: boolean;
  /** It unpickles its first argument, which is scanned too. */
  readonly unpickles?: boolean;
}

const HELD: AllowedName = {};
const MADE: AllowedName = { make: plain(0), takesState: true };
const CALLED: AllowedName = { call: listed(0, 12), make: plain(0), takesState: true };
const OF_TENSORS = ['torch.Tensor', 'torch.nn.parameter.Parameter', 'torch.nn.parameter.Buffer', 'torch._tensor.Tensor'];
const ENCODINGS = ['latin1', 'latin-1', 'iso-8859-1'];
const ARRAYS = [
  'numpy.ndarray',
  'numpy.matrix',
  'numpy.matrixlib.defmatrix.matrix',
  'numpy.recarray',
  'numpy.rec.recarray',
  'numpy.ma.MaskedArray',
  'numpy.ma.core.MaskedArray',
];
const BIT_GENERATORS = ['MT19937', 'PCG64', 'PCG64DXSM', 'Philox', 'SFC64'];
const GENERATOR_CLASSES = ['_mt19937.MT19937', '_pcg64.PCG64', '_pcg64.PCG64DXSM', '_philox.Philox', '_sfc64.SFC64'].map((name) => `numpy.random.${name}`);

/** bytes of protocol 2 and older: `encode(text, 'latin1')`. */
const ENCODED: ArgumentRule = (args) => {
  const [text, encoding] = args;
  if (args.length !== 2 || text?.kind !== 'text' || encoding?.kind !== 'text') return 'other than a text and an encoding';
  return ENCODINGS.includes(encoding.value ?? '') ? undefined : `the encoding ${encoding.value}`;
};
/** A missing key's default is made by calling it. */
const DEFAULT_FACTORY: ArgumentRule = (args) => {
  const [factory] = args;
  if (args.length > 2) return `${args.length} arguments`;
  return factory === undefined || factory.kind === 'none' || (factory.kind === 'name' && factory.module === 'builtins') ? undefined : 'a factory of its own';
};

const TORCH_DTYPES =
  'bfloat16 bits16 bits1x8 bits2x4 bits4x2 bits8 bool complex128 complex32 complex64 double float float16 float32 float4_e2m1fn_x2 float64 float8_e4m3fn float8_e4m3fnuz float8_e5m2 float8_e5m2fnuz float8_e8m0fnu half int int1 int16 int2 int3 int32 int4 int5 int6 int64 int7 int8 long per_channel_affine per_channel_affine_float_qparams per_channel_symmetric per_tensor_affine per_tensor_symmetric qint32 qint8 quint2x4 quint4x2 quint8 short strided sparse_coo sparse_csr preserve_format contiguous_format channels_last uint1 uint16 uint2 uint3 uint32 uint4 uint5 uint6 uint64 uint7 uint8';
const NUMBERS = 'BFloat16 Bool Byte Char ComplexDouble ComplexFloat Double Float Half Int Long QInt32 QInt8 QUInt2x4 QUInt4x2 QUInt8 Short';
/** Of torch.nn.functional and what it takes over from torch: layers hold them as their activation. */
const ACTIVATIONS =
  'celu elu gelu glu hardshrink hardsigmoid hardswish hardtanh leaky_relu log_softmax logsigmoid mish normalize prelu relu relu6 relu_ rrelu selu sigmoid silu softmax softmin softplus softshrink softsign tanh tanhshrink threshold';
const NUMPY_TYPES =
  'bool bool_ bytes_ complex128 complex64 datetime64 float16 float32 float64 float128 int16 int32 int64 int8 intc intp longdouble longlong object_ str_ timedelta64 uint16 uint32 uint64 uint8 uintc uintp ulonglong ushort void';
/** Functions that estimators hold as parameters. */
const NUMPY_FUNCTIONS = 'mean median max min std var abs absolute exp expm1 log log10 log1p log2 sqrt square cbrt reciprocal sin cos tan tanh identity ravel';

function* names(module: string, words: string, allowed: AllowedName): Generator<[string, AllowedName]> {
  for (const word of words.split(' ')) yield [`${module} ${word}`, allowed];
}

function* tables(modules: Readonly<Record<string, string>>, allowed: AllowedName): Generator<[string, AllowedName]> {
  for (const [module, words] of Object.entries(modules)) yield* names(module, words, allowed);
}

function* storagesAndTensors(): Generator<[string, AllowedName]> {
  const kinds = NUMBERS.split(' ');
  for (const module of ['torch', 'torch.cuda']) {
    for (const kind of kinds) yield [`${module} ${kind}Storage`, HELD];
    for (const kind of kinds) yield [`${module} ${kind}Tensor`, HELD];
  }
  for (const module of ['torch.sparse', 'torch.cuda.sparse']) for (const kind of kinds) yield [`${module} ${kind}Tensor`, HELD];
}

/** Entries of one module: name → what may be done with it. */
function* entries(module: string, allowed: Readonly<Record<string, AllowedName>>): Generator<[string, AllowedName]> {
  for (const [name, rule] of Object.entries(allowed)) yield [`${module} ${name}`, rule];
}

function* numpyCore(core: string): Generator<[string, AllowedName]> {
  yield* entries(`${core}.multiarray`, { _reconstruct: { call: classThen(ARRAYS, 2), takesState: true }, scalar: { call: listed(1, 2) } });
  yield* entries(`${core}._internal`, { _reconstruct: { call: classThen(ARRAYS, 2), takesState: true } });
  yield* entries(`${core}.numeric`, { _frombuffer: { call: listed(4), takesState: true } });
  yield* entries(`${core}._multiarray_umath`, { scalar: { call: listed(1, 2) } });
}

/** `module name` → what may be done with it: torch's own list for weights less what calls a given function unchecked, and what pickles of numpy, scikit-learn and joblib consist of. */
export const ALLOWED: ReadonlyMap<string, AllowedName> = new Map([
  ...entries('builtins', {
    set: { call: listed(0, 1) },
    frozenset: { call: listed(0, 1) },
    bytearray: { call: plain(0, 2) },
    bytes: { call: plain(0, 1) },
    complex: { call: plain(0, 2) },
    slice: { call: plain(1, 3) },
    range: { call: plain(1, 3) },
  }),
  ...names('builtins', 'object list dict tuple int float str bool', HELD),
  ...entries('copyreg', { _reconstructor: { call: RECONSTRUCTED, takesState: true } }),
  ...entries('_codecs', { encode: { call: ENCODED } }),
  ...entries('collections', {
    OrderedDict: { call: listed(0, 1), make: plain(0), takesState: true },
    Counter: { call: listed(0, 1), make: plain(0), takesState: true },
    defaultdict: { call: DEFAULT_FACTORY, takesState: true },
    deque: { call: listed(0, 2), takesState: true },
  }),
  ...entries('datetime', {
    datetime: { call: listed(1, 2) },
    date: { call: plain(1) },
    time: { call: listed(1, 2) },
    timedelta: { call: plain(0, 3) },
    timezone: { call: plain(1, 2) },
  }),
  ...entries('argparse', { Namespace: MADE }),
  ...entries('types', { SimpleNamespace: { call: plain(0), make: plain(0), takesState: true } }),
  ...entries('decimal', { Decimal: { call: plain(1) } }),
  ...entries('fractions', { Fraction: { call: plain(1, 2) } }),
  ...entries('uuid', { UUID: MADE }),
  ...entries('pathlib', { PosixPath: { call: plain(0, 64) }, PurePosixPath: { call: plain(0, 64) }, WindowsPath: { call: plain(0, 64) } }),

  ...storagesAndTensors(),
  ...names('torch', TORCH_DTYPES, HELD),
  ...names('torch', 'relu tanh sigmoid Tensor', HELD),
  ...entries('torch', { ScriptObject: MADE, Size: { call: plain(1), make: plain(1) }, device: { call: plain(1, 2) } }),
  ...names('torch.nn.functional', ACTIVATIONS, HELD),
  ...names('torch._C._nn', 'gelu silu mish softplus leaky_relu elu hardtanh', HELD),
  ...entries('torch._utils', {
    _rebuild_tensor: { call: plain(4), takesState: true },
    _rebuild_tensor_v2: { call: plain(6, 7), takesState: true },
    _rebuild_tensor_v3: { call: listed(7, 8), takesState: true },
    _rebuild_parameter: { call: plain(3), takesState: true },
    _rebuild_parameter_with_state: { call: listed(4), takesState: true },
    _rebuild_qtensor: { call: listed(7), takesState: true },
    _rebuild_sparse_tensor: { call: listed(2), takesState: true },
    _rebuild_nested_tensor: { call: plain(4), takesState: true },
    _rebuild_meta_tensor_no_storage: { call: listed(4), takesState: true },
    _rebuild_device_tensor_from_numpy: { call: listed(4), takesState: true },
    _rebuild_device_tensor_from_cpu_tensor: { call: listed(4), takesState: true },
    _rebuild_wrapper_subclass: { call: oneOf(OF_TENSORS, 8), takesState: true },
  }),
  ...entries('torch._tensor', { _rebuild_from_type_v2: { call: REBUILT_BY_FUNCTION, takesState: true }, Tensor: HELD }),
  ...entries('torch.nn.parameter', {
    Parameter: { call: plain(0, 2), make: plain(0, 2), takesState: true },
    Buffer: { call: plain(0, 2), make: plain(0, 2), takesState: true },
  }),
  ...entries('torch.storage', { UntypedStorage: HELD, TypedStorage: HELD, _load_from_bytes: { call: UNPICKLED_BYTES, takesState: true, unpickles: true } }),
  ...entries('torch.serialization', { _get_layout: { call: plain(1) } }),
  ...entries('torch.jit._pickle', {
    build_intlist: { call: plain(1) },
    build_tensorlist: { call: plain(1) },
    build_doublelist: { call: plain(1) },
    build_boollist: { call: plain(1) },
    build_tensor_from_id: { call: plain(1) },
    restore_type_tag: { call: listed(2) },
  }),
  ...tables(LAYERS, MADE),

  ...entries('numpy', { dtype: { call: listed(1, 3), takesState: true }, ndarray: HELD, matrix: HELD, recarray: HELD }),
  ...names('numpy', NUMPY_TYPES, HELD),
  ...names('numpy', NUMPY_FUNCTIONS, HELD),
  ...entries('numpy.rec', { recarray: HELD }),
  ...entries('numpy.matrixlib.defmatrix', { matrix: HELD }),
  ...numpyCore('numpy.core'),
  ...numpyCore('numpy._core'),
  ...entries('numpy.ma', { MaskedArray: HELD }),
  ...entries('numpy.ma.core', { MaskedArray: HELD, _mareconstruct: { call: twoClassesThen(ARRAYS, 3), takesState: true } }),
  ...entries('numpy.random._pickle', {
    __randomstate_ctor: { call: listed(0, 2), takesState: true },
    __generator_ctor: { call: listed(0, 2), takesState: true },
    __bit_generator_ctor: { call: oneOf([...BIT_GENERATORS, ...GENERATOR_CLASSES], 0, 1), takesState: true },
  }),
  ...GENERATOR_CLASSES.flatMap((name): [string, AllowedName][] => [[name.replace(/\.(\w+)$/, ' $1'), HELD]]),
  ...entries('numpy.random.bit_generator', {
    SeedSequence: HELD,
    __pyx_unpickle_SeedSequence: { call: oneOf(['numpy.random.bit_generator.SeedSequence'], 3), takesState: true },
  }),

  ...tables(SCIKIT_MADE, MADE),
  ...tables(SCIKIT_CALLED, CALLED),
  ...tables(SCIKIT_HELD, HELD),
  ...entries('joblib.numpy_pickle', { NumpyArrayWrapper: MADE }),
]);
