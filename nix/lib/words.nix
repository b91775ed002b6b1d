# Words as systemd reads them back: in the command lines and settings of units, and in lines of tmpfiles.d.
{ lib }:
let
  quoted =
    text:
    let
      escaped = builtins.replaceStrings [ "\\" "\"" "%" ] [ "\\\\" "\\\"" "%%" ] text;
    in
    if builtins.match "[A-Za-z0-9/._+@:=,%$-]*" escaped != null then escaped else "\"${escaped}\"";
in
{
  # A word of a command line: specifiers, variables and quotes are taken as they are written.
  argument = text: quoted (builtins.replaceStrings [ "$" ] [ "$$" ] text);

  # One of several paths in a setting, which need not be there.
  optional = path: quoted "-${path}";

  # What goes to the end of its line.
  setting = builtins.replaceStrings [ "%" ] [ "%%" ];

  # A path in a line of tmpfiles.d.
  path = quoted;
}
