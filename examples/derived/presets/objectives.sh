# The four objectives on three derivations of real English, on two cores: small.sh, trans + inv with three seeds.
# syntax: give PARSER (see parser.sh) or SYNTAX_TREES
OBJECTIVES=${OBJECTIVES:-mlm tlm dict_mlm align_mlm} RATES=${RATES:-0.5} SEEDS=${SEEDS:-1 2 3}
GRID=${GRID:-transliterate SEED=1 transliterate,invert syntax,transliterate SEED=1}
source "$(dirname "${BASH_SOURCE[0]}")/small.sh"
