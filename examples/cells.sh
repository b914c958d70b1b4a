# The cells of a grid, from $GRID, $OBJECTIVES, $SEEDS and $RATES; sourced by grid.sh, which says what these are. With
# $EXPERIMENTS, names separated by spaces, there is a grid for each; that of NAME has its own GRID_NAME, OBJECTIVES_NAME
# and RATES_NAME where they are set.

rows() {                             # WORD [SETTING=VALUE...]...: a line for each word, with the settings behind it
    local word line=$1
    for word in "${@:2}"; do
        case $word in *=*) line+=" $word" ;; *) echo "$line"; line=$word ;; esac
    done
    echo "$line"
}

experiments() {                      # FUNCTION: of the grid of each experiment, a line once
    [ -n "${EXPERIMENTS-}" ] || { "$1"; return; }
    local name setting words
    for name in $EXPERIMENTS; do
        words=$(compgen -v | sed -nE 's/^(GRID|OBJECTIVES|RATES)_([a-z_]+)$/\2/p' | sort -u | xargs)
        [[ $name = table || " $words " = *" $name "* ]] ||
            fail "found experiment $name, expected one of: table $words; or set GRID_$name and OBJECTIVES_$name"
        (
            for setting in GRID OBJECTIVES RATES; do
                words=$(of $setting "$name")
                [ -z "$words" ] || printf -v $setting %s "$words"
            done
            "$1"
        )
    done | awk '!seen[$0]++'
}

cells() { experiments cells_of_a_grid; }   # a line each: OBJECTIVE WHERE SETTING=VALUE..., one seed after the other
places() { experiments places_of_a_grid; } # the words of all grids with their settings, a line each
places_of_a_grid() { [ -z "${GRID-}" ] || rows $GRID; }

cells_of_a_grid() {
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
