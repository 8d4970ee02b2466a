#!/bin/sh
# Starts Smalti's window, or with one of its commands the command line, which needs no display.
here=$(dirname "$(readlink -f "$0")")
case "${1-}" in
  train | group | groups | segment | merge-shards | describe | diagnose | runs | runtimes | classes | correct | \
    evaluate | export | info | help | --help | -h) set -- --cli "$@" ;;
  # A word that is not a file is a misspelt command.
  [a-z]*) [ -e "$1" ] || [ -n "$(printf %s "$1" | tr -d 'a-z-')" ] || set -- --cli "$@" ;;
esac
if [ "${1-}" = --cli ]; then
  exec "$here/smalti-bin" --ozone-platform=headless --disable-gpu --no-sandbox --log-level=3 "$@"
fi
exec "$here/smalti-bin" "$@"
