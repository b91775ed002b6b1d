# The keys of the configuration as docs/configuration.md has them: by table, what a key means and what holds where it is
# not said. So the options of the module say what the page says.
#
# `text` is the page. Headings of tables are `## `[name]``; their rows are `| `key` | default | meaning |`.
{ text }:
let
  lines = builtins.filter builtins.isString (builtins.split "\n" text);

  heading = builtins.match "## `([^`]+)`";

  row =
    line:
    let
      cells = builtins.match "\\| `([^`]+)` \\|( (.*))? \\| (.*) \\|" line;
      default = builtins.elemAt cells 2;
    in
    if cells == null then
      { }
    else
      {
        ${builtins.head cells} = {
          default = if default == null then "" else default;
          meaning = builtins.elemAt cells 3;
        };
      };

  read =
    { table, found }:
    line:
    let
      begun = heading line;
    in
    if begun != null then
      {
        table = builtins.head begun;
        found = found // {
          ${builtins.head begun} = { };
        };
      }
    else if table == null then
      { inherit table found; }
    else
      {
        inherit table;
        found = found // {
          ${table} = found.${table} // row line;
        };
      };
in
(builtins.foldl' read {
  table = null;
  found = { };
} lines).found
