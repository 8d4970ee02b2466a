#!/bin/sh
# Smalti’s window, or with one of its commands the command line, which needs no display and shows no page.
here=$(dirname "$(readlink -f "$0")")
case "${1-}" in
  train | segment | merge | describe | diagnose | runs | relocate | group | groups | classes | correct | evaluate | export | info | help | --help | -h) set -- --cli "$@" ;;
esac
if [ "${1-}" = --cli ]; then
  exec "$here/smalti-bin" --ozone-platform=headless --disable-gpu --no-sandbox "$@"
fi
exec "$here/smalti-bin" "$@"
