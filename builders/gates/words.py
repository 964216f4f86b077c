"""Words that carry a claim: those that exclude each other, and those that are only other names."""

from collections.abc import Iterable, Mapping

CONTRASTS = (
    (
        "maximum max maximal maximize maximizes maximizing maximise largest biggest greatest highest most",
        "minimum min minimal minimize minimizes minimizing minimise smallest least lowest fewest",
    ),
    ("longest longer long", "shortest shorter short"),
    ("larger bigger greater higher more exceeds exceed above over", "smaller less lower fewer below under"),
    ("earliest earlier early", "latest later late"),
    ("nearest closest near", "farthest furthest far"),
    (
        "ascending increasing increase increases grows grow rising increment increments incremented",
        "descending decreasing decrease decreases shrinks shrink falling decrement decrements decremented",
    ),
    ("even", "odd"),
    ("positive", "negative", "zero"),
    ("prefix prefixes", "suffix suffixes"),
    ("first", "last", "second", "third"),
    ("next following", "previous preceding"),
    ("before precedes", "after follows"),
    ("start starting beginning begin begins", "end ending ends"),
    ("old", "new"),
    ("inside within", "outside"),
    ("forward forwards", "backward backwards"),
    ("row rows horizontal horizontally", "column columns vertical vertically"),
    ("left leftmost", "right rightmost"),
    ("top up upper upward upwards", "bottom down lower downward downwards"),
    ("all every each any always whenever", "some several sometimes few rarely"),
    ("add adds adding added plus sum", "subtract subtracts subtracting subtracted minus difference"),
    ("multiply multiplies multiplied product", "divide divides divided quotient"),
    ("equal equals same identical", "different differs distinct unequal", "close"),
    ("true", "false"),
    ("valid", "invalid"),
    ("possible", "impossible"),
    ("correct", "incorrect"),
    ("sorted", "unsorted"),
    ("linear linearly", "quadratic", "logarithmic", "exponential", "constant", "cubic"),
    ("inclusive including", "exclusive excluding"),
    ("include includes included", "exclude excludes excluded"),
    ("push pushes pushed", "pop pops popped"),
    ("parent parents ancestor ancestors", "child children descendant descendants"),
    ("and both", "or either"),
    ("lowercase", "uppercase"),
    ("stack stacks", "queue queues"),
    ("valid", "wrong"),
    ("possible likely", "unlikely"),
    ("split splits divide", "merge merges join"),
    ("remove removes removed delete", "insert inserts inserted"),
    ("store stores stored keep keeps", "erase erases erased lose loses"),
    ("update updates updated", "ignore ignores ignored skip"),
    ("sorted", "random"),
    ("ensure ensures", "forbid forbids"),
    ("starting", "stopping"),
    ("boundary edge border", "interior"),
    ("duplicate duplicates repeated", "unique different distinct"),
    ("exactly precisely", "most", "least"),
    ("constant", "variable"),
    ("incrementing", "decrementing"),
    ("necessary required needed", "redundant optional"),
    ("empty", "full", "short"),
    ("source", "target destination"),
)
"""Groups of senses that exclude each other; a sense is the words that stand for it."""

TERMS = (
    "element elements item items value values number numbers integer integers entry entries",
    "index indices indexes position positions",
    "distance distances",
    "character characters letter letters",
    "size length lengths sizes",
    "sum sums total totals",
    "count counts counting",
    "ensure ensures ensuring guarantee guarantees",
    "assume assumes assuming",
    "update updates updating updated",
    "remove removes removing delete deletes removed",
    "store stores storing stored",
    "unique distinct",
    "valid",
    "empty",
    "special edge corner",
    "main general",
    "stack stacks",
    "queue queues deque",
    "heap heaps heapq",
    "tree trees trie",
    "graph graphs",
    "set sets hashset",
    "tuple tuples",
    "map maps dictionary dict hashmap hashtable hash counter",
    "array arrays list lists",
    "string strings",
    "bfs breadth",
    "dfs depth",
    "greedy greedily",
    "dp dynamic",
    "memoization memoize memoized memo cache cached",
    "binary bisect",
    "recursion recursive recursively",
    "iterative iteratively",
    "sort sorts sorting sorted",
    "modulo mod modulus",
    "xor",
    "gcd",
    "lcm",
    "bit bits bitwise bitmask",
    "pointer pointers",
    "window",
    "simulation simulate simulating",
    "permutation permutations",
    "combination combinations",
    "subarray subarrays",
    "substring substrings",
    "subsequence subsequences",
    "subset subsets",
    "palindrome palindromes",
    "prime primes",
    "factorial",
    "matrix grid",
    "edges",
    "node nodes vertex vertices",
    "cycle cycles",
    "path paths",
    "leaf leaves",
    "root",
    "backtracking",
    "dijkstra",
    "kruskal",
    "union",
    "topological",
    "frequency frequencies",
    "median",
    "mean average",
    "digit digits",
)
"""Notions of programming, each with its names."""

_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
NUMBERS = {
    **{word: str(value) for value, word in enumerate(_DIGITS)},
    "twice": "2",
    "double": "2",
    "both": "2",
    "half": "1/2",
    "once": "1",
    "single": "1",
    "triple": "3",
}
"""Words that are numbers."""

_TURNING = "not no never none nothing neither nor without cannot unable nobody hardly non unless"
NEGATIONS = frozenset(_TURNING.split())
"""Words that turn a claim around, besides those in n't."""

_EMPTY = (
    "the of and to is in that it for as with are be this by on we from at or an if then which can will its our you your"
    " have has was were been they their there these those here also so such when where while into than but do does use"
    " using used need needs each would should could may might must let us how what who one two more most very only just"
    " because since thus hence therefore finally now once out up own per via about between through during both make"
    " simply clearly basically efficiently effectively essentially easily directly carefully overall really quickly"
)
STOP_WORDS = frozenset(_EMPTY.split())
"""Words without content of their own."""


def numbered(groups: Iterable[str]) -> Mapping[str, int]:
    """Returns the number of the group for each word in it."""
    return {word: index for index, words in enumerate(groups) for word in words.split()}
