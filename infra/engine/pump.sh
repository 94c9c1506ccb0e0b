# Copies rows from one database to another: a pair of psql for each line of standard input.
#
# The first two lines are the passwords, source and target. Each further line asks for one copy:
# conninfo and statements of the source, then those of the target, written as printf's %b reads
# them and each with a full stop behind it. Its answer is one line too: exit code and complaint of
# the source, then those of the target; a complaint is in base64 between brackets.
#
# COPY takes the end of its input for the end of the data, whatever ended it. So the pipe stays
# open here until the source has succeeded, and the target commits only where `complete` says so.

IFS= read -r source_password && IFS= read -r target_password || exit 1
folder=$(mktemp -d) && cd "$folder" && mkfifo requests rows alive source.log target.log || exit 1
export complete="$folder/complete"
commit_gate='\! [ -s "$complete" ] || kill -9 $PPID'
options='--no-psqlrc --quiet --no-password --set=ON_ERROR_STOP=1 --set=VERBOSITY=verbose'

# Without the full stop a command substitution would take newlines away, and hide its own failure.
decode() {
  value=$(printf %b "$1")
  [ "$value" != "${value%.}" ] || exit 1
  value=${value%.}
}

complaint() {
  [ "$1" = 0 ] || base64 <"$2" | tr -d '\n'
}

copy() {
  : >complete
  tail -c 8192 <source.log >source.end & source_log=$!
  tail -c 8192 <target.log >target.end & target_log=$!

  # All ends are opened here, so that nobody waits for one who dies before opening his: 3 and 4 of
  # `rows`, 5 and 6 of `alive`, which the target keeps open as long as it lives.
  exec 7>source.log 8>target.log
  exec 9<>rows 3>rows 4<rows 9<>alive 5>alive 6<alive 9>&-
  PGPASSWORD=$target_password psql $options --dbname="$3" \
    --command="$4" --command="$commit_gate" --command=COMMIT \
    <&4 2>&8 >/dev/null 3>&- & target=$!
  PGPASSWORD=$source_password psql $options --dbname="$1" --command="$2" \
    </dev/null 2>&7 >&3 4<&- 5>&- & source=$!
  exec 4<&- 5>&- 7>&- 8>&-
  { read -r _; kill -9 $source; } <&6 3>&- & watcher=$!
  exec 6<&-

  wait $source; source_code=$?
  kill -9 $watcher
  if [ $source_code = 0 ]; then echo yes >complete; else kill -9 $target; fi
  exec 3>&-
  wait $target; target_code=$?
  wait $watcher $source_log $target_log
}

# The end of standard input ends everything, even in the middle of a copy: this shell is what the
# container lives for.
exec 3<&0
{ cat <&3; kill -9 $$; } >requests &
exec <requests 3<&-

echo ready
while read -r source_conninfo source_statements target_conninfo target_statements; do
  decode "$source_conninfo" && source_conninfo=$value
  decode "$source_statements" && source_statements=$value
  decode "$target_conninfo" && target_conninfo=$value
  decode "$target_statements" && target_statements=$value
  copy "$source_conninfo" "$source_statements" "$target_conninfo" "$target_statements" 2>/dev/null
  echo "$source_code [$(complaint $source_code source.end)]" \
    "$target_code [$(complaint $target_code target.end)]"
done
