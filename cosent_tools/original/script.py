"""A script of the user's checkout of bojone/CoSENT: what must be in it, and its text with settings.

Nothing here imports TensorFlow or cosent_tf: the process that runs the script must be its own.
"""

import ast
from pathlib import Path

FOLDER = 'accuracy'  # of the checkout
TASKS = ('ATEC', 'BQ', 'LCQMC', 'PAWSX')  # the names that the scripts take
# What is set from outside: the names that a script assigns these values to.
PATHS = ('config_path', 'checkpoint_path', 'dict_path', 'data_path')
SETTINGS = ('maxlen', 'batch_size', 'epochs')
# What its results are read from, and what the launcher waits for: names and attributes.
NEEDED = {
    *('task_name', 'valid_generator', 'evaluator', 'evaluate', 'metrics', 'best_threshold'),
    *('build_transformer_model', 'Tokenizer', 'Adam', 'minimize', 'spearmanr', 'fit_generator'),
}


class NotFound(Exception):
    """The script is not one of those this was written for; the message is one line."""


def read_script(checkout: Path, method: str) -> tuple[Path, ast.Module]:
    """Read the script of a method and check that all that is needed is in it.

    Raises:
        NotFound: with the name of what was not found.
    """
    path = checkout / FOLDER / f'{method}.py'
    try:
        tree = ast.parse(path.read_text('utf-8'), str(path))
    except FileNotFoundError:
        raise NotFound(
            f'{path} not found: --original must be a checkout of https://github.com/bojone/CoSENT'
        ) from None
    except (OSError, ValueError, SyntaxError) as error:
        raise NotFound(f'{path}: not readable as a script: {error}') from error
    nodes = list(ast.walk(tree))
    known = {node.id for node in nodes if isinstance(node, ast.Name)}
    known |= {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    known |= {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
    missing = sorted(NEEDED - known) + [n for n in PATHS + SETTINGS if n not in assigned(tree)]
    if missing:
        raise NotFound(
            f'{path}: no {", ".join(missing)} in it: this revision of the script is not one that '
            'can be run from outside'
        )
    return path, tree


def assigned(tree: ast.Module) -> dict[str, ast.Assign]:
    """Return the assignments to single names at the top of a script, by name."""
    return {
        node.targets[0].id: node
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }


def own_settings(checkout: Path, method: str, task: str) -> dict[str, int]:
    """Return maxlen, batch_size and epochs as the script sets them for a task.

    Raises:
        NotFound: as `read_script`, or one of them is not computed from `task_name` alone.
    """
    path, tree = read_script(checkout, method)
    settings = {}
    for name in SETTINGS:
        code = compile(ast.Expression(assigned(tree)[name].value), str(path), 'eval')
        try:
            settings[name] = eval(code, {'task_name': task, '__builtins__': {}})
        except NameError as error:
            raise NotFound(f'{path}: {name} depends on more than task_name: {error}') from error
    return settings


def with_values(tree: ast.Module, values: dict[str, object]) -> ast.Module:
    """Set what is assigned to some names at the top of a script."""
    for name, value in values.items():
        node = assigned(tree)[name]
        node.value = ast.copy_location(ast.Constant(value), node.value)
    return tree
