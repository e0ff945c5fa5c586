"""Encoders and indexes in Apache Spark: what needs many machines to be made.

:class:`LearnedHashing` is an estimator of Spark ML: it learns from a sample on the driver, and its model adds a
column of codes where the rows are. :func:`build_shards` makes indexes of all rows in parallel, out of one that
was trained, and :func:`search_shards` searches them and merges the answers. Each task computes with as many
threads as Spark gives it cores (``spark.task.cpus``, one); models are broadcast. All of it is functions of the
rows alone, so that what a killed executor had done is done again, with the same result.

>>> from pyspark.sql import SparkSession                                                    # doctest: +SKIP
>>> from faiss_lbh.spark import LearnedHashing                                              # doctest: +SKIP
>>> spark = SparkSession.builder.getOrCreate()                                              # doctest: +SKIP
>>> rows = spark.read.parquet("rows.parquet")                                               # doctest: +SKIP
>>> model = LearnedHashing(inputCol="embedding", outputCol="code", nbits=64).fit(rows)      # doctest: +SKIP
>>> model.transform(rows).write.parquet("codes.parquet")                                    # doctest: +SKIP
>>> model.write().overwrite().save("model")                                                 # doctest: +SKIP

faiss_lbh must be installed where Spark's workers are; it needs pyspark 4.0 or later.
"""
from __future__ import annotations

import functools
from typing import Any, Callable, Dict, Iterator, Optional

import numpy as np
import pyarrow as pa
from pyspark import TaskContext, keyword_only
from pyspark.ml import Estimator, Model
from pyspark.ml.functions import vector_to_array
from pyspark.ml.linalg import VectorUDT
from pyspark.ml.param import Param, Params, TypeConverters
from pyspark.ml.param.shared import HasHandleInvalid, HasInputCol, HasLabelCol, HasOutputCol, HasSeed
from pyspark.ml.util import (DefaultParamsReadable, DefaultParamsReader, DefaultParamsWritable, DefaultParamsWriter,
                             MLReadable, MLReader, MLWritable, MLWriter)
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.types import BinaryType, StructField, StructType

from . import _lib
from ._encoder import Encoder
from ._index import Index
from .parquet import code_array, matrix

__all__ = ["LearnedHashing", "LearnedHashingModel", "build_shards", "search_shards", "read_shard"]

_VECTOR = "__faiss_lbh_vector"
_ROW_BYTES = (1 << 31) - (1 << 20)  # of a binary value in a row of Spark


# ---- On the workers ------------------------------------------------------------------------------

def _one_task() -> None:
    """As many native threads as the task has cores."""
    task = TaskContext.get()
    _lib.set_num_threads(task.cpus() if task is not None else 1)


@functools.lru_cache(maxsize=4)
def _loaded(data: bytes) -> Encoder:  # once a worker, which lives as long as its executor
    return Encoder.from_bytes(data)


def _encode(batch: Any, encoder: Encoder, column: str, target: str, invalid: str, queries: bool, bit_order: str) -> Any:
    """A record batch with the codes of its vectors; `column` is left out if it is ours."""
    vectors = batch.column(batch.schema.get_field_index(column))
    keep: Any = None
    if invalid != "error":  # rows without a vector, or with one that is no vector of numbers
        there = vectors.is_valid().to_numpy(zero_copy_only=False)
        finite = np.isfinite(np.asarray(matrix(vectors.filter(pa.array(there)), column), np.float32)).all(1)
        there[there] = finite
        keep, vectors = there, vectors.filter(pa.array(there))
    x = matrix(vectors, column).reshape(len(vectors), -1)
    packed = (encoder.encode_queries if queries else encoder.encode)(x, bit_order=bit_order) if len(x) else \
        np.empty((0, encoder.code_size), np.uint8)
    codes = code_array(packed).cast(pa.binary())
    if keep is not None and invalid == "keep":
        codes = codes.take(pa.array(np.cumsum(keep) - 1, mask=~keep))
    elif keep is not None:
        batch = batch.filter(pa.array(keep))
    if column == _VECTOR:
        batch = batch.select([name for name in batch.schema.names if name != column])
    return pa.RecordBatch.from_arrays([*batch.columns, codes], names=[*batch.schema.names, target])


def _encoding(model: Any, *arguments: Any) -> Callable[[Iterator[Any]], Iterator[Any]]:
    def run(batches: Iterator[Any]) -> Iterator[Any]:
        _one_task()
        encoder = _loaded(model.value)
        for batch in batches:
            yield _encode(batch, encoder, *arguments)
    return run


def _building(model: Any) -> Callable[[Iterator[Any]], Iterator[Any]]:
    def run(batches: Iterator[Any]) -> Iterator[Any]:
        _one_task()
        index = Index.from_bytes(model.value)
        for batch in batches:
            if len(batch):
                index.add(matrix(batch.column(1), "the vectors"), ids=batch.column(0).to_numpy(zero_copy_only=False))
        if len(index):
            data, task = index.to_bytes(), TaskContext.get()
            if len(data) > _ROW_BYTES:
                raise ValueError(f"a shard of {len(index)} vectors has {len(data)} bytes; a row of Spark holds "
                                 f"{_ROW_BYTES}: take more shards")
            yield pa.RecordBatch.from_arrays(
                [pa.array([task.partitionId() if task else 0], pa.int32()), pa.array([len(index)], pa.int64()),
                 pa.array([data], pa.binary())], names=["shard", "n", "index"])
    return run


def _searching(queries: Any, k: int, parameters: Dict[str, Any]) -> Callable[[Iterator[Any]], Iterator[Any]]:
    def run(batches: Iterator[Any]) -> Iterator[Any]:
        _one_task()
        ids, x = queries.value
        for batch in batches:
            for row in range(len(batch)):
                index = Index.from_bytes(batch.column(0)[row].as_py())
                rescore = parameters.get("rescore", index.parameters["rescore"])
                falls = index.metric != "l2" and rescore in ("decoder", "float")  # inner products: the highest first
                for i in range(0, len(x), 4096):
                    distances, found = index.search(x[i:i + 4096], k, **parameters)
                    place, rank = np.nonzero(found >= 0)
                    best = distances[place, rank]
                    yield pa.RecordBatch.from_arrays(
                        [pa.array(ids[i + place]), pa.array(found[place, rank]), pa.array(best),
                         pa.array(-best if falls else best)], names=["query", "id", "distance", "order"])
    return run


# ---- Columns of vectors --------------------------------------------------------------------------

def _vectors(dataset: DataFrame, name: str) -> Any:
    """The column as arrays: Spark ML's vectors are turned into such."""
    if name not in dataset.columns:
        raise ValueError(f"there is no column {name!r}; there are {', '.join(dataset.columns)}")
    return vector_to_array(F.col(name), "float32") if _is_udt(dataset, name) else F.col(name)


def _is_udt(dataset: DataFrame, name: str) -> bool:
    return isinstance(dataset.schema[name].dataType, VectorUDT)


# ---- Estimator and model -------------------------------------------------------------------------

class _Shared(HasInputCol, HasOutputCol, HasHandleInvalid):
    """What estimator and model have both."""

    bitOrder: Param = Param(Params._dummy(), "bitOrder", "lsb: the first bit is the lowest of its byte, as FAISS has "
                            "it; msb: the highest, as numpy.packbits, pgvector and Vespa", TypeConverters.toString)
    queries: Param = Param(Params._dummy(), "queries", "encode as queries are encoded, not as rows",
                           TypeConverters.toBoolean)

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._setDefault(outputCol="code", handleInvalid="error", bitOrder="lsb", queries=False)

    def setParams(self, **values: Any) -> Any:
        """Sets parameters by name.

        Parameters
        ----------
        **values
            ``inputCol``: arrays of numbers, or vectors of Spark ML. ``outputCol``: "code". ``handleInvalid``, of
            rows that are null or have a NaN: "error", "skip" (leave them out) or "keep" (their code is null).
            ``bitOrder``: "lsb" or "msb". ``queries``: encode as queries. Those of the estimator: see its class.

        Returns
        -------
        self
        """
        for name, allowed in (("handleInvalid", ("error", "skip", "keep")), ("bitOrder", ("lsb", "msb"))):
            if values.get(name, allowed[0]) not in allowed:
                raise ValueError(f"{name} ({values[name]!r}) is none of {', '.join(map(repr, allowed))}")
        return self._set(**values)


class LearnedHashing(_Shared, HasLabelCol, HasSeed, Estimator["LearnedHashingModel"], DefaultParamsReadable[Any],
                     DefaultParamsWritable):
    """Learns an encoder from a sample of the rows, on the driver.

    Parameters
    ----------
    inputCol : str
        Arrays of numbers, or vectors of Spark ML.
    outputCol : str
        "code": binary.
    method, nbits, metric : as of :class:`faiss_lbh.Encoder`
        "sgh", 64, "l2".
    options : dict
        More of its options.
    sampleRows : int
        Rows to learn from, at most (100,000).
    seed : int
        Of the sample, and of the training.
    labelCol : str
        Whole numbers, for methods that learn from labels.
    bitOrder, queries, handleInvalid
        See :meth:`setParams`.

    Examples
    --------
    >>> hashing = LearnedHashing(inputCol="embedding", nbits=128, options={"steps": 2000})      # doctest: +SKIP
    >>> pipeline = Pipeline(stages=[assembler, hashing]).fit(rows)                              # doctest: +SKIP
    """

    method: Param = Param(Params._dummy(), "method", "method of the encoder", TypeConverters.toString)
    nbits: Param = Param(Params._dummy(), "nbits", "bits of a code", TypeConverters.toInt)
    metric: Param = Param(Params._dummy(), "metric", "l2, ip or cosine", TypeConverters.toString)
    options: Param = Param(Params._dummy(), "options", "more options of the encoder, by name")
    sampleRows: Param = Param(Params._dummy(), "sampleRows", "rows to learn from, at most", TypeConverters.toInt)

    @keyword_only
    def __init__(self, **values: Any) -> None:
        super().__init__()
        self._setDefault(method="sgh", nbits=64, metric="l2", options={}, sampleRows=100000, seed=1)
        self.setParams(**values)
        self._encoder()  # what is wrong is said now

    def _encoder(self) -> Encoder:
        get = self.getOrDefault
        options = dict(get("options"))
        known = Encoder(get("method"), get("nbits"), metric=get("metric"), **options)
        if "seed" in known.options and "seed" not in options:
            options["seed"] = int(get("seed")) % (1 << 31)
            known = Encoder(get("method"), get("nbits"), metric=get("metric"), **options)
        return known

    def _fit(self, dataset: DataFrame) -> "LearnedHashingModel":
        encoder, most = self._encoder(), int(self.getOrDefault("sampleRows"))
        supervised = bool(_lib.plugin.lbh_method_needs_labels(str(encoder.method).encode()))
        columns = [_vectors(dataset, self.getInputCol()).alias("x")]
        columns += [F.col(self.getLabelCol()).cast("long").alias("y")] if supervised else []
        rows = dataset.select(*columns).where("x IS NOT NULL")
        n = rows.count()
        if n > most:  # a few more than wanted, of which a choice is made
            rows = rows.sample(False, min(1., 1.05 * most / n + 5 / n ** .5 * (most / n) ** .5), self.getSeed())
        table = rows.toArrow()
        x = matrix(table["x"], repr(self.getInputCol()))
        x, y = np.asarray(x, np.float32), table["y"].to_numpy() if supervised else None
        if self.getOrDefault("handleInvalid") != "error":
            finite = np.isfinite(x).all(1)
            x, y = x[finite], None if y is None else y[finite]
        if len(x) > most:
            chosen = np.sort(np.random.default_rng(self.getSeed() % (1 << 63)).choice(len(x), most, replace=False))
            x, y = x[chosen], None if y is None else y[chosen]
        model = LearnedHashingModel(encoder.train(x, y))
        return self._copyValues(model)


class LearnedHashingModel(_Shared, Model, MLReadable[Any], MLWritable):
    """Adds a column of codes.

    Parameters
    ----------
    encoder : faiss_lbh.Encoder, optional
        One that was trained anywhere: by :class:`LearnedHashing`, ``lbh train``, or C.
    **values
        As of :meth:`setParams`.

    Examples
    --------
    >>> model = LearnedHashingModel(faiss_lbh.Encoder.load("sgh.lbh"), inputCol="embedding")    # doctest: +SKIP
    >>> codes = model.transform(rows)                                                           # doctest: +SKIP
    """

    def __init__(self, encoder: Optional[Encoder] = None, **values: Any) -> None:
        super().__init__()
        self.encoder = encoder
        self.setParams(**values)

    def _transform(self, dataset: DataFrame) -> DataFrame:
        if self.encoder is None:
            raise ValueError("the model has no encoder")
        name, target = self.getInputCol(), self.getOutputCol()
        if target in dataset.columns:
            raise ValueError(f"there is a column {target!r} already")
        vectors = _vectors(dataset, name)
        column = _VECTOR if _is_udt(dataset, name) else name
        given = dataset.withColumn(_VECTOR, vectors) if column == _VECTOR else dataset
        schema = StructType([*dataset.schema.fields,
                             StructField(target, BinaryType(), self.getOrDefault("handleInvalid") == "keep")])
        model = dataset.sparkSession.sparkContext.broadcast(self.encoder.to_bytes())
        return given.mapInArrow(_encoding(model, column, target, self.getOrDefault("handleInvalid"),
                                          self.getOrDefault("queries"), self.getOrDefault("bitOrder")), schema)

    def write(self) -> MLWriter:
        """Spark's writer: ``model.write().overwrite().save(path)``, to any storage that Spark knows.

        Returns
        -------
        pyspark.ml.util.MLWriter
        """
        return _Writer(self)

    @classmethod
    def read(cls) -> MLReader[Any]:
        """Spark's reader: ``LearnedHashingModel.load(path)``.

        Returns
        -------
        pyspark.ml.util.MLReader
        """
        return _Reader(cls)


class _Writer(DefaultParamsWriter):
    def saveImpl(self, path: str) -> None:
        super().saveImpl(path)
        data = [(bytearray(self.instance.encoder.to_bytes()),)]  # type: ignore[attr-defined]
        self.sparkSession.createDataFrame(data, "encoder binary").coalesce(1).write.parquet(path + "/data")


class _Reader(DefaultParamsReader[Any]):
    def load(self, path: str) -> Any:
        model = super().load(path)
        row = self.sparkSession.read.parquet(path + "/data").first()
        if row is None:
            raise ValueError(f"{path}/data is empty")
        model.encoder = Encoder.from_bytes(bytes(row["encoder"]))
        return model


# ---- Indexes in shards ---------------------------------------------------------------------------

def build_shards(dataset: DataFrame, index: Index, path: str, *, inputCol: str, idCol: str = "id",
                 shards: Optional[int] = None, mode: str = "error") -> DataFrame:
    """Builds indexes of all rows in parallel, each a copy of one that was trained, and writes them as Parquet: a
    shard a row (shard, n, index), to any storage that Spark knows.

    Parameters
    ----------
    dataset : DataFrame
    index : faiss_lbh.Index
        Trained, empty, of a kind that takes ids: "SGH64,BIVF1024", "IDMap2,SGH64,BFlat".
    path : str
        Of the Parquet files.
    inputCol : str
        Arrays of numbers, or vectors of Spark ML.
    idCol : str
        Whole numbers, none twice.
    shards : int, optional
        So many, of rows by a hash of their ids; else one for each partition of the dataset, as it is.
    mode : str
        Of Spark's writer, where there is something at the path: "error", "overwrite".

    Returns
    -------
    DataFrame
        What was written.

    Raises
    ------
    ValueError
        The index is not trained, not empty, or takes no ids.

    Examples
    --------
    >>> trained = faiss_lbh.Index("SGH64,BIVF1024").train(sample)                           # doctest: +SKIP
    >>> shards = build_shards(rows, trained, "shards", inputCol="embedding", shards=16)     # doctest: +SKIP
    """
    if not index.is_trained or len(index):
        raise ValueError(f"{index!r}: shards are copies of a trained and empty index")
    data = index.to_bytes()
    try:
        Index.from_bytes(data).add(np.ones((1, index.d), np.float32), ids=[7])
    except RuntimeError as error:
        raise ValueError(f"shards need ids of their own: {error}") from None
    rows = dataset.select(F.col(idCol).cast("long").alias("id"), _vectors(dataset, inputCol).alias("x"))
    if shards is not None:
        rows = rows.repartition(int(shards), "id").sortWithinPartitions("id")  # the same bytes each time
    session = dataset.sparkSession
    rows.mapInArrow(_building(session.sparkContext.broadcast(data)), "shard int, n long, index binary") \
        .write.mode(mode).parquet(path)
    return session.read.parquet(path)


def search_shards(shards: DataFrame, queries: DataFrame, k: int = 10, *, inputCol: str, idCol: str = "id",
                  **parameters: Any) -> DataFrame:
    """Searches all shards in parallel, and merges the k best answers of each query.

    Parameters
    ----------
    shards : DataFrame
        Of :func:`build_shards`, or ``spark.read.parquet`` of its path.
    queries : DataFrame
        Broadcast as a whole: some 100,000 at a time.
    k : int
    inputCol : str
        Of the queries: arrays of numbers, or vectors of Spark ML.
    idCol : str
        Theirs, whole numbers.
    **parameters
        Of the search, as of :meth:`faiss_lbh.Index.search`.

    Returns
    -------
    DataFrame
        ``query`` (its id), ``rank`` (from 1), ``id``, ``distance``: as the search of one index of all rows.

    Examples
    --------
    >>> search_shards(shards, queries, 10, inputCol="embedding", nprobe=16).show()      # doctest: +SKIP
    """
    if k < 1:
        raise ValueError(f"k ({k}) must be at least 1")
    table = queries.select(F.col(idCol).cast("long").alias("id"), _vectors(queries, inputCol).alias("x")).toArrow()
    given = (table["id"].to_numpy(), np.asarray(matrix(table["x"], repr(inputCol)), np.float32))
    broadcast = shards.sparkSession.sparkContext.broadcast(given)
    found = shards.select("index").mapInArrow(_searching(broadcast, k, parameters),
                                              "query long, id long, distance float, order float")
    best = Window.partitionBy("query").orderBy("order", "id")
    return found.withColumn("rank", F.row_number().over(best)).where(F.col("rank") <= k) \
        .select("query", "rank", "id", "distance")


def read_shard(shards: DataFrame, shard: int) -> Index:
    """One shard, on the driver: to save it, or to take its FAISS index.

    Parameters
    ----------
    shards : DataFrame
    shard : int

    Returns
    -------
    faiss_lbh.Index

    Examples
    --------
    >>> read_shard(shards, 3).save("part3.lbhp")        # doctest: +SKIP
    """
    row = shards.where(F.col("shard") == int(shard)).select("index").first()
    if row is None:
        raise ValueError(f"there is no shard {shard}")
    return Index.from_bytes(bytes(row["index"]))
