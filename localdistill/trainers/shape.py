"""The numbers of a model that its training's memory depends on, and what follows from them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainShape:
    """A decoder of the Qwen2 or Qwen3 kind. ``config.json`` has all of these numbers."""

    layers: int
    width: int  # of the residual stream
    feed_forward: int  # width inside of a layer; of one expert, in a mixture
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int  # rows of the embedding, padding included
    tied: bool  # whether the output matrix is the embedding
    biases: bool  # on query, key and value (Qwen2)
    head_norms: bool  # norms of each head's query and key (Qwen3)
    context: int  # tokens that it was made for
    experts: int = 1  # in a layer; 1 in a dense model
    used: int = 1  # experts that a token takes

    @property
    def query(self) -> int:
        """Width of all heads' queries."""
        return self.heads * self.head_dim

    @property
    def shared(self) -> int:
        """Width of all heads' keys, and of their values."""
        return self.kv_heads * self.head_dim

    @property
    def inner(self) -> int:
        """Width inside of a layer that one token goes through."""
        return self.feed_forward * self.used

    @property
    def matrices(self) -> tuple[tuple[int, int, int], ...]:
        """Rows, columns and number of the matrices of one layer: what has an adapter."""
        return (
            (self.query, self.width, 1),
            (self.shared, self.width, 2),
            (self.width, self.query, 1),
            (self.feed_forward, self.width, 2 * self.experts),
            (self.width, self.feed_forward, self.experts),
        )

    @property
    def linear(self) -> int:
        """Weights of all layers' matrices."""
        return self.layers * sum(rows * columns * n for rows, columns, n in self.matrices)

    @property
    def edges(self) -> int:
        """Rows and columns of all layers' matrices: an adapter of rank 1 has so many weights.

        A is rank x columns and B is rows x rank (Hu et al., arXiv 2106.09685, section 4.1).
        """
        return self.layers * sum((rows + columns) * n for rows, columns, n in self.matrices)

    @property
    def largest(self) -> int:
        """Weights of the largest matrix of a layer."""
        return max(rows * columns for rows, columns, _ in self.matrices)

    @property
    def vectors(self) -> int:
        """Weights of norms and biases, and of the router of a mixture of experts."""
        in_layer = 2 * self.width
        if self.biases:
            in_layer += self.query + 2 * self.shared
        if self.head_norms:
            in_layer += 2 * self.head_dim
        if self.experts > 1:
            in_layer += self.experts * self.width
        return self.layers * in_layer + self.width

    @property
    def embeddings(self) -> int:
        """Weights of the embedding, and of the output matrix where it is another one."""
        return self.vocabulary * self.width * (1 if self.tied else 2)

    @property
    def parameters(self) -> int:
        """All weights; a shared embedding counts once."""
        return self.linear + self.embeddings + self.vectors
