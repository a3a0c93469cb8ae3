/* Draws the next token of many sequences at once, and says how likely each was.
 *
 * Compiled by scripts/compile_c.py; draw.py calls it and draw_plain.py is the same in numpy.
 *
 * Truncations only ever keep the likeliest tokens. So each of them comes down to a threshold on the
 * logits and to how many of the tokens that lie just on it are kept, and nothing of the size of the
 * vocabulary is ever sorted. Blocks whose greatest logit is below the threshold are passed over.
 */
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifndef LD_SOURCE
#define LD_SOURCE ""
#endif
const char ld_draw_source[] = LD_SOURCE; /* of which text this was compiled */

/* The same source for old and new processors, chosen when it is loaded. No variant contracts
 * multiplications and additions (-ffp-contract=off), so that all of them give the same bits. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && defined(__GLIBC__)
#define VARIANTS __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define VARIANTS
#endif

enum { BLOCK = 256, LANES = 16, BINS = 1024 };
#define BINS_PER_NAT 16.0f

struct chain {
    float temperature; /* 0: greedy */
    float top_p;       /* 1: off */
    float min_p;       /* 0: off */
    int32_t top_k;     /* 0: off */
    int32_t temperature_last; /* truncate the distribution of temperature 1 */
};

/* What is kept: logits above `least`, and the first `ties` of those that equal it. */
struct kept {
    float least;
    int32_t ties;
};

struct row {
    const float *logits;
    int32_t vocab, blocks;
    float highest;
    float *block_highest; /* [blocks] */
    double *block_mass;   /* [blocks] */
    float *values;        /* [vocab] scratch */
    int32_t *ids;         /* [vocab] scratch */
};

union number {
    float value;
    int32_t bits;
};

/* e**x for x <= 0, to 2 units in the last place; below -87 as at -87, next to nothing. Range reduction by powers of two and
 * the Taylor polynomial of degree 7 on [-ln 2 / 2, ln 2 / 2], written so that compilers vectorise
 * it. */
static inline __attribute__((always_inline)) float negative_exp(float x)
{
    /* Without a sign floats are in the order of their bits: see find_highest for why. */
    union number size = {.value = x}, most = {.value = 87.0f};
    size.bits &= INT32_MAX;
    size.bits = size.bits < most.bits ? size.bits : most.bits;
    const float clamped = -size.value;
    const int32_t n = (int32_t)(clamped * 1.44269504f - 0.5f);
    const float r = (clamped - (float)n * 0.693359375f) - (float)n * -2.12194440e-4f;
    float p = 1.0f / 5040.0f;
    p = p * r + 1.0f / 720.0f;
    p = p * r + 1.0f / 120.0f;
    p = p * r + 1.0f / 24.0f;
    p = p * r + 1.0f / 6.0f;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    const union number power = {.bits = (n + 127) << 23};
    return p * power.value;
}

static inline int32_t block_end(const struct row *row, int32_t block)
{
    const int32_t end = (block + 1) * BLOCK;
    return end < row->vocab ? end : row->vocab;
}

/* Turns the bits of a float into an integer of the same order, and such an integer back. */
static inline int32_t ordered(int32_t bits)
{
    return bits ^ (bits >> 31 & INT32_MAX);
}

/* The greatest logit of each block and of all; false if one is no number or plus infinity.
 *
 * On integers, because comparisons of floats stop gcc from vectorising. */
VARIANTS static int find_highest(struct row *row)
{
    const union number infinity = {.value = INFINITY};
    int32_t size = 0, highest = INT32_MIN;
    for (int32_t b = 0; b < row->blocks; b++) {
        const int32_t count = block_end(row, b) - b * BLOCK;
        int32_t bits[BLOCK], greatest = INT32_MIN;
        memcpy(bits, row->logits + b * BLOCK, (size_t)count * sizeof(float));
        for (int32_t i = 0; i < count; i++) {
            const int32_t place = ordered(bits[i]), magnitude = bits[i] & INT32_MAX;
            greatest = place > greatest ? place : greatest;
            size = magnitude > size ? magnitude : size;
        }
        const union number back = {.bits = ordered(greatest)};
        row->block_highest[b] = back.value;
        highest = greatest > highest ? greatest : highest;
    }
    const union number back = {.bits = ordered(highest)};
    row->highest = back.value;
    return size <= infinity.bits && row->highest <= FLT_MAX && row->highest >= -FLT_MAX;
}

/* e**((x - highest) * scale) of `count` logits x. */
VARIANTS static void weigh(float *weights, const float *logits, int32_t count, float highest,
                           float scale)
{
    for (int32_t i = 0; i < count; i++)
        weights[i] = negative_exp((logits[i] - highest) * scale);
}

VARIANTS static double sum_of(const float *values, int32_t count)
{
    float lanes[LANES] = {0};
    double sum = 0;
    int32_t i = 0;
    for (; i + LANES <= count; i += LANES)
        for (int l = 0; l < LANES; l++)
            lanes[l] += values[i + l];
    for (; i < count; i++)
        sum += values[i];
    for (int l = 0; l < LANES; l++)
        sum += lanes[l];
    return sum;
}

/* Sum of e**((x - highest) * scale), also for each block. */
static double find_mass(const struct row *row, float scale)
{
    float weights[BLOCK];
    double total = 0;
    for (int32_t b = 0; b < row->blocks; b++) {
        const int32_t count = block_end(row, b) - b * BLOCK;
        weigh(weights, row->logits + b * BLOCK, count, row->highest, scale);
        row->block_mass[b] = sum_of(weights, count);
        total += row->block_mass[b];
    }
    return total;
}

static int32_t first_highest(const struct row *row)
{
    for (int32_t b = 0; b < row->blocks; b++)
        if (row->block_highest[b] == row->highest)
            for (int32_t i = b * BLOCK; i < block_end(row, b); i++)
                if (row->logits[i] == row->highest)
                    return i;
    return 0;
}

/* The ids of what is kept, in rising order, into row->ids; returns how many. */
static int32_t gather(const struct row *row, struct kept kept)
{
    int32_t count = 0, ties = kept.ties;
    for (int32_t b = 0; b < row->blocks; b++) {
        if (row->block_highest[b] < kept.least)
            continue;
        for (int32_t i = b * BLOCK; i < block_end(row, b); i++) {
            if (row->logits[i] > kept.least)
                row->ids[count++] = i;
            else if (row->logits[i] == kept.least && ties > 0) {
                row->ids[count++] = i;
                ties--;
            }
        }
    }
    return count;
}

/* The k-th greatest of `count` values (k from 1), which are reordered (Hoare's selection). */
static float kth_greatest(float *values, int32_t count, int32_t k)
{
    int32_t left = 0, right = count - 1, wanted = k - 1;
    while (left < right) {
        const float pivot = values[left + (right - left) / 2];
        int32_t i = left, j = right;
        while (i <= j) {
            while (values[i] > pivot)
                i++;
            while (values[j] < pivot)
                j--;
            if (i <= j) {
                const float other = values[i];
                values[i++] = values[j];
                values[j--] = other;
            }
        }
        if (wanted <= j)
            right = j;
        else if (wanted >= i)
            left = i;
        else
            break;
    }
    return values[wanted];
}

static struct kept keep_top_k(const struct row *row, int32_t k)
{
    struct kept kept = {-INFINITY, INT32_MAX};
    if (k >= row->vocab)
        return kept;
    if (k <= row->blocks) { /* at least k logits are as great as the k-th greatest of blocks */
        memcpy(row->values, row->block_highest, (size_t)row->blocks * sizeof(float));
        kept.least = kth_greatest(row->values, row->blocks, k);
    }
    const int32_t count = gather(row, kept);
    for (int32_t i = 0; i < count; i++)
        row->values[i] = row->logits[row->ids[i]];
    kept.least = kth_greatest(row->values, count, k);
    int32_t above = 0;
    for (int32_t i = 0; i < count; i++)
        above += row->values[i] > kept.least;
    kept.ties = k - above;
    return kept;
}

static int falling(const void *left, const void *right)
{
    const float a = *(const float *)left, b = *(const float *)right;
    return (a < b) - (a > b);
}

/* The weights of the first `count` of row->ids into row->values. */
static void weigh_ids(const struct row *row, int32_t count, float scale)
{
    for (int32_t i = 0; i < count; i++)
        row->values[i] = row->logits[row->ids[i]];
    weigh(row->values, row->values, count, row->highest, scale);
}

static inline int32_t bin_of(const struct row *row, int32_t id, float scale)
{
    const float distance = (row->highest - row->logits[id]) * scale * BINS_PER_NAT;
    return distance < BINS - 1 ? (int32_t)distance : BINS - 1;
}

/* The fewest of the likeliest tokens in `kept` whose mass reaches top_p of its mass. */
static struct kept keep_top_p(const struct row *row, struct kept kept, float top_p, float scale)
{
    double masses[BINS] = {0}, total, mass, sum = 0;
    int32_t count;
    if (kept.least > -INFINITY) {
        count = gather(row, kept);
        weigh_ids(row, count, scale);
        total = sum_of(row->values, count);
    } else
        total = find_mass(row, scale);
    const double wanted = top_p * total;
    /* Most often it ends near the top: further down is looked only if need be. */
    float reach = 8.0f;
    do {
        struct kept near = {row->highest - reach / scale, INT32_MAX};
        if (!(near.least > kept.least))
            near = kept;
        count = gather(row, near);
        weigh_ids(row, count, scale);
        mass = sum_of(row->values, count);
        reach *= 4.0f;
    } while (mass < wanted && reach < 200.0f);
    for (int32_t i = 0; i < count; i++)
        masses[bin_of(row, row->ids[i], scale)] += row->values[i];
    int32_t bin = 0;
    while (bin < BINS - 1 && sum + masses[bin] < wanted)
        sum += masses[bin++];
    int32_t inside = 0;
    for (int32_t i = 0; i < count; i++)
        if (bin_of(row, row->ids[i], scale) == bin)
            row->values[inside++] = row->logits[row->ids[i]];
    if (inside == 0)
        return kept;
    qsort(row->values, (size_t)inside, sizeof(float), falling);
    int32_t last = 0;
    for (; last < inside - 1; last++) {
        sum += negative_exp((row->values[last] - row->highest) * scale);
        if (sum >= wanted)
            break;
    }
    kept.least = row->values[last];
    kept.ties = 0;
    for (int32_t i = 0; i <= last; i++)
        kept.ties += row->values[i] == kept.least;
    return kept;
}

static struct kept truncate(const struct row *row, const struct chain *chain)
{
    const float scale = chain->temperature_last ? 1.0f : 1.0f / chain->temperature;
    struct kept kept = {-INFINITY, INT32_MAX};
    if (chain->top_k > 0)
        kept = keep_top_k(row, chain->top_k);
    if (chain->top_p < 1.0f)
        kept = keep_top_p(row, kept, chain->top_p, scale);
    if (chain->min_p > 0.0f) {
        const float least = row->highest + logf(chain->min_p) / scale;
        if (least > kept.least) {
            kept.least = least;
            kept.ties = INT32_MAX;
        }
    }
    return kept;
}

/* SplitMix64 (Steele, Lea, Flood 2014, doi:10.1145/2714064.2660195): its output function. */
static uint64_t mixed(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* Number `draw` (from 0) of the stream of `seed`, in [0, 1): any of them without those before. */
static double uniform(uint64_t seed, uint64_t draw)
{
    const uint64_t step = 0x9E3779B97F4A7C15u;
    return (double)(mixed(mixed(seed + step) + (draw + 1) * step) >> 11) * 0x1p-53;
}

/* The first of `count` weights at which their running sum exceeds `target`. */
static int32_t pick(const float *weights, int32_t count, double target)
{
    double sum = 0;
    int32_t last = 0;
    for (int32_t i = 0; i < count; i++) {
        sum += weights[i];
        if (weights[i] > 0)
            last = i;
        if (sum > target)
            return i;
    }
    return last; /* rounding took the target to the very end */
}

static int32_t draw_whole(struct row *row, double mass, float scale, double u)
{
    double target = u * mass;
    int32_t block = 0, last = 0;
    for (; block < row->blocks; block++) {
        if (row->block_mass[block] > 0)
            last = block;
        if (target < row->block_mass[block])
            break;
        target -= row->block_mass[block];
    }
    if (block == row->blocks) {
        block = last;
        target = row->block_mass[block];
    }
    const int32_t start = block * BLOCK, count = block_end(row, block) - start;
    weigh(row->values, row->logits + start, count, row->highest, scale);
    return start + pick(row->values, count, target);
}

static int32_t draw_kept(struct row *row, struct kept kept, float scale, double u)
{
    const int32_t count = gather(row, kept);
    double mass = 0;
    weigh_ids(row, count, scale);
    for (int32_t i = 0; i < count; i++)
        mass += row->values[i];
    return row->ids[pick(row->values, count, u * mass)];
}

int64_t ld_draw_scratch(int32_t vocab)
{
    const int64_t blocks = (vocab + BLOCK - 1) / BLOCK;
    return blocks * (int64_t)(sizeof(double) + sizeof(float))
        + (int64_t)vocab * (int64_t)(sizeof(float) + sizeof(int32_t));
}

/* Draw from `rows` rows of `vocab` logits each, which stand one after the other.
 *
 * seeds[i] and draws[i] say which random number row i takes. Fills tokens[rows] and
 * logprobs[rows]: the token's log-probability at temperature 1 with nothing truncated, nats.
 * Returns 0, or the number (from 1) of a row whose logits are not numbers.
 */
int32_t ld_draw(const float *logits, int32_t rows, int32_t vocab, const struct chain *chain,
                const uint64_t *seeds, const uint32_t *draws, int32_t *tokens, double *logprobs,
                void *scratch)
{
    struct row row = {.vocab = vocab, .blocks = (vocab + BLOCK - 1) / BLOCK};
    row.block_mass = scratch;
    row.block_highest = (float *)(row.block_mass + row.blocks);
    row.values = row.block_highest + row.blocks;
    row.ids = (int32_t *)(row.values + vocab);
    const int truncates = chain->top_k > 0 || chain->top_p < 1.0f || chain->min_p > 0.0f;
    for (int32_t r = 0; r < rows; r++) {
        row.logits = logits + (int64_t)r * vocab;
        if (!find_highest(&row))
            return r + 1;
        const double mass = find_mass(&row, 1.0f);
        const double u = uniform(seeds[r], draws[r]);
        const float scale = 1.0f / chain->temperature;
        if (chain->temperature == 0.0f)
            tokens[r] = first_highest(&row);
        else if (truncates)
            tokens[r] = draw_kept(&row, truncate(&row, chain), scale, u);
        else
            tokens[r] = draw_whole(&row, scale == 1.0f ? mass : find_mass(&row, scale), scale, u);
        logprobs[r] = (double)(row.logits[tokens[r]] - row.highest) - log(mass);
    }
    return 0;
}
