"""A network in ONNX's form: what it wants to see, and one of its layers as rows."""
import os

import numpy as np
import onnxruntime

from vector_out import Bad, reading


def with_layer(path, layer):
    """A model whose one output is an inner tensor, so that nothing behind it is computed."""
    try:
        import onnx
    except ImportError:
        raise Bad(f"'{layer}' is no output of {path}; inner layers need Python's onnx: pip install onnx") from None
    model = onnx.load(path, load_external_data=False)
    inner = {name for node in model.graph.node for name in node.output}
    if layer not in inner:
        raise Bad(f"{path}: there is no tensor '{layer}'; --names lists those that there are")
    del model.graph.output[:]
    model.graph.output.append(onnx.helper.make_empty_tensor_value_info(layer))
    return model.SerializeToString()


def options(threads, path):
    chosen = onnxruntime.SessionOptions()
    chosen.log_severity_level = 3
    chosen.intra_op_num_threads = threads
    # weights in files beside the model are found there, also where the model comes from memory
    chosen.add_session_config_entry("session.model_external_initializers_file_folder_path",
                                    os.path.dirname(os.path.abspath(path)))
    return chosen


def session(model, threads, path):
    with reading(path):
        return onnxruntime.InferenceSession(model, options(threads, path), providers=["CPUExecutionProvider"])


def names(path):
    """Lines for --names."""
    found = session(path, 1, path)
    yield from (f"input   {i.name}  {i.shape}" for i in found.get_inputs())
    yield from (f"output  {o.name}  {o.shape}" for o in found.get_outputs())
    try:
        import onnx
    except ImportError:
        yield "(inner tensors: pip install onnx)"
        return
    graph = onnx.load(path, load_external_data=False).graph
    outputs = {o.name for o in graph.output}
    yield from (f"inner   {name}  of {node.op_type}" for node in graph.node for name in node.output
                if name and name not in outputs)


class Network:
    """rows(pictures): the layer's numbers for a list of arrays HEIGHT x WIDTH x 3 of bytes."""

    def __init__(self, args):
        self.path, self.pool = args.model, args.pool
        if not os.path.isfile(args.model):
            raise Bad(f"{args.model}: no such file")
        found = session(args.model, args.threads, args.model)
        outputs = [o.name for o in found.get_outputs()]
        if args.layer is None and len(outputs) > 1:
            raise Bad(f"{args.model} has the outputs {', '.join(outputs)}; choose one by --layer")
        self.layer = args.layer or outputs[0]
        if self.layer not in outputs:
            found = session(with_layer(args.model, self.layer), args.threads, args.model)
        self.session, inputs = found, found.get_inputs()
        if len(inputs) != 1 or len(inputs[0].shape) != 4 or inputs[0].type not in ("tensor(float)", "tensor(float16)"):
            told = ", ".join(f"{i.name} {i.type} {i.shape}" for i in inputs)
            raise Bad(f"{args.model}: one input of 4 axes of floats is wanted, it has {told}")
        self.input, shape = inputs[0].name, inputs[0].shape
        self.type = np.float16 if inputs[0].type == "tensor(float16)" else np.float32
        self.last = args.channels_last or (shape[3] in (1, 3) and shape[1] not in (1, 3))
        self.channels = shape[3 if self.last else 1]
        self.channels = self.channels if self.channels in (1, 3) else 3
        sides = [s for s in (shape[1:3] if self.last else shape[2:4]) if isinstance(s, int) and s > 0]
        self.size = args.size or (sides[0] if sides else 224)
        if any(s != self.size for s in sides):
            raise Bad(f"{args.model}: the input is {sides}, not the --size {self.size}")
        self.fixed = shape[0] if isinstance(shape[0], int) and shape[0] > 0 else None  # rows that it must get
        self.mean, self.std = np.float32(args.mean), np.float32(args.std)
        if self.channels == 1 and (self.mean.size > 1 or self.std.size > 1):
            self.mean, self.std = self.mean.mean(keepdims=True), self.std.mean(keepdims=True)
        self.scale, self.bgr = np.float32(args.scale / 255), args.order == "bgr"

    def seen(self, pictures):
        """What the network sees: values, order of channels, axes."""
        x = np.stack(pictures).astype(np.float32) * self.scale
        if self.channels == 1:
            x = x @ np.float32([[.299], [.587], [.114]])
        elif self.bgr:
            x = x[..., ::-1]
        x = (x - self.mean) / self.std
        return np.ascontiguousarray(x if self.last else x.transpose(0, 3, 1, 2), self.type)

    def rows(self, pictures):
        x = self.seen(pictures)
        step = self.fixed or len(x)
        parts = []
        for at in range(0, len(x), step):
            part = x[at:at + step]
            few = len(part)
            if few < step:  # the last ones are joined by copies of a row
                part = np.concatenate([part, np.repeat(part[-1:], step - few, 0)])
            with reading(self.path):
                parts.append(self.session.run([self.layer], {self.input: part})[0][:few])
        y = np.concatenate(parts)
        if y.dtype.kind != "f" or y.ndim < 2 or len(y) != len(x):
            raise Bad(f"{self.path}: the layer {self.layer} gives {y.dtype} {list(y.shape)} for {len(x)} pictures")
        if y.ndim > 2 and self.pool is None and y[0].size not in y.shape[1:]:
            raise Bad(f"{self.path}: the layer {self.layer} is a map, {list(y.shape[1:])}: --pool average or flatten")
        if y.ndim > 2 and self.pool == "average":
            places = (1, 2) if self.last and y.ndim == 4 else tuple(range(2, y.ndim))
            y = y.mean(places, dtype=np.float64)
        return y.reshape(len(y), -1).astype(np.float32)
