# SPDX-License-Identifier: Apache-2.0
"""Who is compared, with which settings.

The same M and ef_construction for every graph but Loci's, which has its default; the rest is each
library's default. With cosine the
vectors have unit length, and a peer takes the inner product for cosine where it has that. Vectors that
USearch rounds do not keep their length: with ip it is faster and its recall ends sooner, so bf16 runs both
ways. A graph without levels has the degree that HNSW with that M has at its lowest level, 2 * M.
"""

from dataclasses import dataclass, field, replace

EFS = (10, 14, 20, 28, 40, 56, 80, 112, 160, 224, 320, 480)
SWEEP_EFS = (10, 20, 40, 80, 160, 320)
SWEEP_M = (8, 16, 32)
SWEEP_EFC = (100, 200, 400)


@dataclass(frozen=True)
class Peer:
    """One library in one configuration."""

    name: str    # what `--peers` takes
    label: str   # what people read
    driver: str  # "compiled:PROGRAM" or "python:ENGINE"
    packages: tuple[str, ...] = ()  # whose versions go into the report
    config: dict = field(default_factory=dict, hash=False)
    graph: bool = True              # takes M and efc
    exact: bool = False             # always the true nearest
    usual: bool = True              # compared when `--peers` names nobody

    def tuned(self, m: int, efc: int) -> "Peer":
        """The same with another M and ef_construction."""
        return replace(self, name=f"{self.name}-M{m}-efc{efc}",
                       label=f"{self.label} M{m} efc{efc}",
                       config={**self.config, "M": m, "efc": efc})


_GRAPH = {"M": 16, "efc": 200}

PEERS = (
    Peer("loci", "Loci", "compiled:loci_peer", config={"M": 16, "efc": 128}),
    Peer("hnswlib", "hnswlib", "compiled:hnswlib_peer", config=_GRAPH),
    Peer("usearch-f32", "USearch f32", "compiled:usearch_peer", config={**_GRAPH, "type": "f32"}),
    Peer("usearch-bf16", "USearch bf16", "compiled:usearch_peer",
         config={**_GRAPH, "type": "bf16", "metric": "cos"}),
    Peer("usearch-bf16-ip", "USearch bf16 ip", "compiled:usearch_peer",
         config={**_GRAPH, "type": "bf16", "metric": "ip"}),
    Peer("usearch-i8", "USearch i8", "compiled:usearch_peer",
         config={**_GRAPH, "type": "i8", "metric": "cos"}),
    Peer("faiss-flat", "FAISS HNSWFlat", "python:faiss_engine", ("faiss-cpu",),
         {**_GRAPH, "type": "flat"}),
    Peer("faiss-sq8", "FAISS HNSW-SQ8", "python:faiss_engine", ("faiss-cpu",),
         {**_GRAPH, "type": "sq8"}),
    Peer("sqlite-vec", "sqlite-vec", "python:sqlite_vec_engine", ("sqlite-vec", "apsw"),
         graph=False, exact=True),
    Peer("vectorlite", "vectorlite", "python:vectorlite_engine", ("vectorlite-py", "apsw"), _GRAPH),
    Peer("chroma", "Chroma", "python:chroma_engine", ("chromadb",), _GRAPH),
    Peer("lancedb", "LanceDB IVF_HNSW_SQ", "python:lancedb_engine", ("lancedb", "pyarrow"), _GRAPH),
    Peer("symphonyqg", "SymphonyQG", "python:symphonyqg_engine", ("rabitqlib",), _GRAPH),
    Peer("symphonyqg-random", "SymphonyQG random start", "python:symphonyqg_engine", ("rabitqlib",),
         {**_GRAPH, "init": "random"}, usual=False),
    Peer("symphonyqg-q8", "SymphonyQG 8-bit", "python:symphonyqg_engine", ("rabitqlib",),
         {**_GRAPH, "bits": 8}, usual=False),
    Peer("rabitq-hnsw", "HNSW-RaBitQ", "python:rabitq_hnsw_engine", ("rabitqlib",),
         {**_GRAPH, "bits": 8}),
    Peer("svs", "SVS Vamana LVQ4x8", "python:svs_engine", ("scalable-vs",),
         {**_GRAPH, "primary": 4, "residual": 8}),
    Peer("svs-lvq8", "SVS Vamana LVQ8", "python:svs_engine", ("scalable-vs",),
         {**_GRAPH, "primary": 8, "residual": 0}, usual=False),
)
# For the self-test: needs nothing but Python.
BRUTE = Peer("brute", "brute force", "python:brute_engine", graph=False, exact=True)
SWEPT = ("loci", "hnswlib", "usearch-f32", "usearch-bf16", "faiss-flat", "faiss-sq8")


def choose(names: str) -> list[Peer]:
    """Peers by comma-separated names; the usual ones when empty."""
    known = {peer.name: peer for peer in (*PEERS, BRUTE)}
    if not names:
        return [peer for peer in PEERS if peer.usual]
    wrong = [name for name in names.split(",") if name not in known]
    if wrong:
        raise SystemExit(f"bench_peers: no peer {', '.join(wrong)}; known: {', '.join(known)}")
    return [known[name] for name in names.split(",")]
