# The cells of a grid, from $GRID, $OBJECTIVES, $SEEDS and $RATES; sourced by grid.sh, which says what these are.

rows() {                             # WORD [SETTING=VALUE...]...: a line for each word, with the settings behind it
    local word line=$1
    for word in "${@:2}"; do
        case $word in *=*) line+=" $word" ;; *) echo "$line"; line=$word ;; esac
    done
    echo "$line"
}

cells() {                            # a line each: OBJECTIVE WHERE SETTING=VALUE..., one seed after the other
    local seed where there objective own rate
    for seed in $SEEDS; do
        rows $GRID | while read -r where there; do
            rows $OBJECTIVES | while read -r objective own; do
                objective_flags "$objective" "" "" > /dev/null
                own="$there $own"
                # a seed or a rate among the settings of a cell is the only one that it has
                if [[ " $own" != *" SEED="* ]]; then
                    own="SEED=$seed $own"
                elif [ "$seed" != "${SEEDS%% *}" ]; then
                    continue
                fi
                if [[ -z ${RATES-} || " $own" = *" RATE="* ]] || ! uses_lexicon "$objective"; then
                    echo "$objective" "$where" $own
                else
                    for rate in $RATES; do echo "$objective" "$where" "RATE=$rate" $own; done
                fi
            done
        done
    done
}
