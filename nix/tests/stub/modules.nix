# Modules, as far as the files here use them: options, what is said of them, conditions, priorities.
#
# What nixpkgs refuses is refused here too: options that are not there, values of the wrong type, values that contradict.
{ lib }:
let
  inherit (builtins)
    attrNames
    concatMap
    concatStringsSep
    filter
    foldl'
    head
    isAttrs
    isFunction
    isPath
    mapAttrs
    removeAttrs
    ;

  is = kind: value: isAttrs value && (value._type or null) == kind;

  usualPriority = 100;
  optionPriority = 1500;

  show = concatStringsSep ".";

  # A definition as those that it comes to, each with its priority.
  definitions =
    priority: value:
    if is "if" value then
      (if value.condition then definitions priority value.content else [ ])
    else if is "merge" value then
      concatMap (definitions priority) value.contents
    else if is "override" value then
      definitions value.priority value.content
    else
      [ { inherit priority value; } ];

  # Of all that is said about an option, what counts.
  counting =
    values:
    let
      all = concatMap (definitions usualPriority) values;
      strongest = foldl' (
        least: definition: if definition.priority < least then definition.priority else least
      ) optionPriority all;
    in
    map (definition: definition.value) (
      filter (definition: definition.priority == strongest) all
    );

  # Conditions around several options become conditions around each, so that what there is to say can be seen.
  pushed =
    value:
    if is "if" value then
      map (mapAttrs (_: inner: lib.mkIf value.condition inner)) (pushed value.content)
    else if is "merge" value then
      concatMap pushed value.contents
    else
      [ value ];

  # What an option comes to. Its default is what is said of it by the weakest voice.
  settle =
    place: option: values:
    let
      usual = lib.optional (option ? default) (lib.mkOverride optionPriority option.default);
      given = counting (values ++ usual);
    in
    if given == [ ] then
      throw "the option `${show place}` has no value"
    else
      option.type.merge place given;

  # The values of a set of options.
  evaluate =
    place: options: values:
    let
      contents = concatMap pushed values;
      said = concatMap attrNames contents;
      unknown = filter (name: !(options ? ${name})) said;
      of = name: concatMap (content: if content ? ${name} then [ content.${name} ] else [ ]) contents;
      one =
        name: option:
        if is "option" option then
          settle (place ++ [ name ]) option (of name)
        else
          evaluate (place ++ [ name ]) option (of name);
    in
    if unknown != [ ] then
      throw "there is no option `${show (place ++ [ (head unknown) ])}`"
    else
      mapAttrs one options;

  # Sets of options of several modules as one.
  joined =
    one: other:
    one
    // mapAttrs (
      name: option:
      if !(one ? ${name}) then
        option
      else if is "option" option || is "option" one.${name} then
        throw "the option `${name}` is declared twice"
      else
        joined one.${name} option
    ) other;

  # A module and those that it imports, as sets.
  load =
    arguments: module:
    let
      opened = if isPath module then import module else module;
      told = if isFunction opened then opened arguments else opened;
      imports = told.imports or [ ];
      isPlain = !(told ? config || told ? options);
      rest = removeAttrs told [
        "imports"
        "_class"
        "_file"
      ];
    in
    concatMap (load arguments) imports
    ++ [
      {
        options = told.options or { };
        config = if isPlain then rest else told.config or { };
      }
    ];
in
rec {
  mkOption = given: { _type = "option"; } // given;
  mkEnableOption =
    what:
    mkOption {
      type = lib.types.bool;
      default = false;
      description = "Whether to enable ${what}.";
    };

  mkIf = condition: content: {
    _type = "if";
    inherit condition content;
  };
  mkMerge = contents: {
    _type = "merge";
    inherit contents;
  };
  mkOverride = priority: content: {
    _type = "override";
    inherit priority content;
  };
  mkDefault = mkOverride 1000;
  mkForce = mkOverride 50;

  # What one option comes to.
  settleValues = place: type: values: settle place { inherit type; } values;

  evalModules =
    {
      modules,
      specialArgs ? { },
      place ? [ ],
    }:
    let
      arguments = {
        inherit lib config options;
      }
      // specialArgs;
      loaded = concatMap (load arguments) modules;
      options = foldl' joined { } (map (module: module.options) loaded);
      config = evaluate place options (map (module: module.config) loaded);
    in
    {
      inherit config options;
    };
}
