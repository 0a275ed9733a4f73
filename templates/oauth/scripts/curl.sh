# install: apt-get install -y curl
# Prints the first rows of {{ dataset }} under grant {{ grant }}.
#   export QIANTANG_CLIENT_SECRET=…    sh curl.sh
set -eu
base='{{ base_url }}'
client='{{ client_id }}'
: "${client:=${QIANTANG_CLIENT_ID:?set QIANTANG_CLIENT_ID}}"
: "${QIANTANG_CLIENT_SECRET:?set QIANTANG_CLIENT_SECRET}"

head=$(mktemp)
trap 'rm -f "$head"' EXIT
say_why() {
  for name in error error_description title detail; do
    printf '%s\n' "$1" | sed -n "s/.*\"$name\": *\"\([^\"]*\)\".*/\1/p" >&2
  done
  sed -n "s|^[Xx]-[Rr]equest-[Ii]d: *\([0-9a-f]*\).*|$base/requests/\1|p" "$head" >&2
  exit 1
}

# The secret goes in by standard input, so that it never shows in the list of processes.
answer=$(printf 'user = "%s:%s"\n' "$client" "$QIANTANG_CLIENT_SECRET" |
  curl -sS -K - -D "$head" -d grant_type=client_credentials -d scope=data.read "$base/oauth/token")
token=$(printf '%s' "$answer" | sed -n 's/.*"access_token": *"\([^"]*\)".*/\1/p')
[ -n "$token" ] || say_why "$answer"

rows=$(printf 'header = "Authorization: Bearer %s"\n' "$token" |
  curl -sS -K - -D "$head" -w '\n%{http_code}' -H 'Accept-Language: {{ language }}' \
  "$base/api/v1/datasets/{{ dataset }}/rows?grant={{ grant }}&limit=10")
status=$(printf '%s' "$rows" | tail -n 1)
body=$(printf '%s' "$rows" | sed '$d')
[ "$status" = 200 ] || say_why "$body"
printf '%s\n' "$body"

# The whole table as a file:
# printf 'header = "Authorization: Bearer %s"\n' "$token" | curl -sS -K - -C - -o data.csv \
#   "$base/api/v1/datasets/{{ dataset }}/files/data.csv?grant={{ grant }}"
