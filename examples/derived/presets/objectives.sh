# The four objectives on three derivations of real English, on two cores: small.sh, trans + inv with three seeds.
# syntax: give PARSER (see parser.sh) or SYNTAX_TREES
source "$HERE/presets/small.sh"
GRID="transliterate transliterate,invert syntax,transliterate"

cells() {
    local objective derivation seed
    for derivation in $GRID; do for objective in mlm tlm dict_mlm align_mlm; do for seed in 1 2 3; do
        [ "$seed" -gt 1 ] && [ "$derivation" != transliterate,invert ] || echo "$objective $derivation SEED=$seed RATE=0.5"
    done; done; done
}
