# Paths as texts, compared by their components as the program compares them.
{ lib }:
rec {
  components = path: builtins.filter (part: part != "" && part != ".") (lib.splitString "/" path);

  # Whether a path is another one or lies below it.
  isBelow =
    directory: path:
    let
      wanted = components directory;
      there = components path;
    in
    builtins.length wanted <= builtins.length there
    && builtins.all (place: builtins.elemAt wanted place == builtins.elemAt there place) (
      builtins.genList (place: place) (builtins.length wanted)
    );

  # What is left of a path below a directory, or `null` if it does not lie below it.
  below =
    directory: path:
    let
      rest = lib.drop (builtins.length (components directory)) (components path);
    in
    if isBelow directory path && rest != [ ] then builtins.concatStringsSep "/" rest else null;

  parent =
    path:
    let
      parts = components path;
    in
    "/" + builtins.concatStringsSep "/" (lib.take (builtins.length parts - 1) parts);

  # In the order of their components, each once.
  sorted =
    paths:
    let
      named = map (path: {
        name = builtins.concatStringsSep "/" (components path);
        value = path;
      }) paths;
      byName = builtins.listToAttrs named;
      isBefore = one: other: components one < components other;
    in
    builtins.sort isBefore (builtins.attrValues byName);
}
