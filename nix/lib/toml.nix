# A value as the text of a TOML document. Numbers with fractions and `null` have no place in a configuration and are refused.
{ lib }:
let
  # TOML wants this one character escaped that JSON leaves as it is.
  delete = builtins.fromJSON ''"\u007f"'';

  quoted = text: builtins.replaceStrings [ delete ] [ "\\u007f" ] (builtins.toJSON text);

  key = name: if builtins.match "[A-Za-z0-9_-]+" name != null then name else quoted name;

  inline =
    value:
    if builtins.isString value then
      quoted value
    else if builtins.isInt value then
      toString value
    else if builtins.isBool value then
      (if value then "true" else "false")
    else if builtins.isList value then
      "[${lib.concatMapStringsSep ", " inline value}]"
    else if builtins.isAttrs value then
      "{ ${lib.concatMapStringsSep ", " (pair value) (builtins.attrNames value)} }"
    else
      throw "a ${builtins.typeOf value} cannot be written in the configuration";

  pair = values: name: "${key name} = ${inline values.${name}}";

  isTables = value: builtins.isList value && value != [ ] && builtins.all builtins.isAttrs value;

  # The lines of a table: what stands in it first, since what follows the head of a further table belongs to that one.
  table =
    path: values:
    let
      names = builtins.attrNames values;
      isTable = name: builtins.isAttrs values.${name};
      isList = name: isTables values.${name};
      below = name: path ++ [ (key name) ];
      place = name: builtins.concatStringsSep "." (below name);
      plain = builtins.filter (name: !(isTable name || isList name)) names;
      # A table that has nothing but tables is there with the first of them.
      isOpened = inner: inner == { } || !(builtins.all builtins.isAttrs (builtins.attrValues inner));
      inner =
        name:
        lib.optional (isOpened values.${name}) "\n[${place name}]" ++ table (below name) values.${name};
      each = name: value: [ "\n[[${place name}]]" ] ++ table (below name) value;
    in
    map (pair values) plain
    ++ builtins.concatMap inner (builtins.filter isTable names)
    ++ builtins.concatMap (name: builtins.concatMap (each name) values.${name}) (
      builtins.filter isList names
    );
in
document: lib.concatMapStringsSep "" (line: line + "\n") (table [ ] document)
