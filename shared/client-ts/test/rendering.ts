// React without a browser, for programs elsewhere.
export { createElement } from 'react';
export { create } from 'react-test-renderer';
